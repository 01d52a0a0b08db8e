/** Sets the variables of a test's services before the imports that follow; for blocks that need them at once. */
import { mockEnv } from '../../src/testing/index.ts'
import { setEnv } from '../support/helpers.ts'

setEnv(mockEnv())
