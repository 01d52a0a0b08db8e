import { expect, it } from 'vitest'
import { toVariable } from '../../../src/config/service-variable.ts'

it.each([
  ['ai', 'AI_SERVICE_API_URL'],
  ['userProfile', 'USER_PROFILE_SERVICE_API_URL'],
  ['user-profile', 'USER_PROFILE_SERVICE_API_URL'],
  ['user--profile', 'USER_PROFILE_SERVICE_API_URL'],
  ['HTTPProxy', 'HTTP_PROXY_SERVICE_API_URL'],
  ['s3Files', 'S3_FILES_SERVICE_API_URL'],
])('%s takes its URL from %s', (name, variable) => {
  expect(toVariable(name)).toBe(variable)
})
