import { defineConfig } from 'vitest/config'
import { mockEnv } from '../../src/testing/index.ts'

export default defineConfig({
  test: { env: mockEnv(['ai']) },
})
