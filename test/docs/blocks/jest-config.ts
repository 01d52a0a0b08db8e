import { expect } from 'vitest'

// #region

const config = {
  transformIgnorePatterns: ['/node_modules/(?!(middy-signed-services|@middy|ky)/)'],
  moduleNameMapper: { '^@middy/(core|util)$': '<rootDir>/node_modules/@middy/$1/index.js' },
}
export default config

// #endregion

const isTransformed = (path: string) => !config.transformIgnorePatterns.some((pattern) => RegExp(pattern).test(path))
expect(isTransformed('/p/node_modules/ky/distribution/index.js')).toBe(true)
expect(isTransformed('/p/node_modules/@middy/core/index.js')).toBe(true)
expect(isTransformed('/p/node_modules/zod/index.js')).toBe(false)
