/**
 * Uses the packed package in a project that is tested with Jest: as CommonJS, which Babel makes of it, and as ES modules.
 * Jest runs tests in a realm of their own, where the errors of Node.js are instances of no class. The tests in TypeScript
 * and the configuration are those of docs/testing.md; Node.js strips the types, so that no further preset is needed here.
 */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { blocksOf, read } from '../../docs/pages.ts'
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

/** A configuration that docs/testing.md shows, by a member that only it has; without what strips the types there. */
function shownConfig(member: string): object {
  const configs = blocksOf('json').map(({ code }) => JSON.parse(code))
  const { transform, ...config } = configs.find((one) => one[member] !== undefined)
  equal(JSON.stringify(transform).includes('@swc/jest'), true)
  return config
}

const kinds: Readonly<Record<string, Kind>> = {
  CommonJS: { manifest: {}, config: shownConfig('transformIgnorePatterns'), args: [] },
  'ES modules': {
    manifest: { type: 'module' },
    config: { ...shownConfig('extensionsToTreatAsEsm'), transform: {} },
    args: ['--experimental-vm-modules'],
  },
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
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/^(functions|tests)\b.*\.ts$/.test(file)) continue
    const own = file.startsWith('functions') ? join('examples', file) : join('test/interop/jest/project', file)
    const source = read(own)
    const code =
      'type' in manifest
        ? // ES modules are mocked by another function, as docs/testing.md says.
          source.replace('jest.mock(', 'jest.unstable_mockModule(')
        : // Presets do this, too.
          source.replace(/await import\((.*)\)/, 'require($1)')
    writeFileSync(join(folder, file), stripTypeScriptTypes(code))
  }
  const write = (file: string, content: object) => writeFileSync(join(folder, file), JSON.stringify(content))
  write('package.json', { private: true, ...manifest })
  write('babel.config.json', { plugins: [TO_COMMONJS] })
  write('jest.config.json', { ...config, cacheDirectory: '<rootDir>/cache' })
  const command = [...args, JEST, '--runInBand', '--json', '--outputFile=result.json']
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Jest, ${name}:\n${stderr}`)
  const { numTotalTests, numPassedTests } = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))
  equal(numPassedTests, numTotalTests)
  console.log(`Jest, ${name}: ${numTotalTests} tests`)
  return numTotalTests
}
