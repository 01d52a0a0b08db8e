/**
 * Uses the packed package in a project that is tested with Jest: as CommonJS, which Babel makes of it, and as ES modules.
 * Jest runs tests in a realm of their own, where the errors of Node.js are instances of no class.
 */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createProject, type Project } from '../../platform/package/project.ts'

interface Kind {
  /** Members of the project's `package.json`. */
  readonly manifest: object
  readonly config: object
  /** Arguments for Node.js. */
  readonly args: readonly string[]
}

const JEST = fileURLToPath(import.meta.resolve('jest/bin/jest'))
/** What makes CommonJS of ES modules, as presets of Babel include it. */
const TO_COMMONJS = fileURLToPath(import.meta.resolve('@babel/plugin-transform-modules-commonjs'))

/** The lines that a project as CommonJS needs, as docs/testing.md shows them. */
const COMMONJS_ONLY = {
  transformIgnorePatterns: ['/node_modules/(?!(middy-signed-services|@middy|ky)/)'],
  moduleNameMapper: { '^@middy/(core|util)$': '<rootDir>/node_modules/@middy/$1/index.js' },
}

const kinds: Readonly<Record<string, Kind>> = {
  CommonJS: { manifest: {}, config: COMMONJS_ONLY, args: [] },
  'ES modules': { manifest: { type: 'module' }, config: { transform: {} }, args: ['--experimental-vm-modules'] },
}

const project = createProject()
try {
  const tests = Object.entries(kinds).map(([name, kind]) => runJest(name, kind, project))
  // The same tests, all of them.
  equal(new Set(tests).size, 1)
} finally {
  project.remove()
}

/** Runs the project's tests; gives their number. */
function runJest(name: string, { manifest, config, args }: Kind, { folder }: Project): number {
  cpSync(join(import.meta.dirname, 'project'), folder, { recursive: true })
  const write = (file: string, content: object) => writeFileSync(join(folder, file), JSON.stringify(content))
  write('package.json', { private: true, ...manifest })
  write('babel.config.json', { plugins: [TO_COMMONJS] })
  write('jest.config.json', { ...config, setupFiles: ['<rootDir>/setup.js'], cacheDirectory: '<rootDir>/cache' })
  const command = [...args, JEST, '--runInBand', '--json', '--outputFile=result.json']
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Jest, ${name}:\n${stderr}`)
  const { numTotalTests, numPassedTests } = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))
  equal(numPassedTests, numTotalTests)
  console.log(`Jest, ${name}: ${numTotalTests} tests`)
  return numTotalTests
}
