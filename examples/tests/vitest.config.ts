import { mockEnv } from 'middy-signed-services/testing'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { env: mockEnv() },
})
