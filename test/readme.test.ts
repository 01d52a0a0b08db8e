import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FAULT_NAMES } from '../src/testing/faults.ts'

const root = join(import.meta.dirname, '..')
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8')
const readme = read('README.md')

/** A file as it is in a project that has the package installed. */
const asInstalled = (file: string) =>
  read('examples', file)
    .replace(/'(\.\.\/)+src\/index\.ts'/, "'middy-signed-services'")
    .replace(/'(\.\.\/)+src\/request-signer\.ts'/, "'middy-signed-services/request-signer'")
    .replace(/'(\.\.\/)+src\/testing\/index\.ts'/, "'middy-signed-services/testing'")

/** Files that the README shows, besides every test among the examples. */
const SHOWN = ['publish-blog-post.ts', 'functions/publish-draft.ts']

describe('the README', () => {
  const tests = readdirSync(join(root, 'examples', 'tests')).map((file) => `tests/${file}`)

  it.each([...SHOWN, ...tests])('shows examples/%s as it runs', (file) => {
    expect(readme).toContain(`\`\`\`ts\n${asInstalled(file)}\`\`\`\n`)
  })

  it('names every fault of the local gateway', () => {
    for (const name of FAULT_NAMES) expect(readme).toContain(`\`${name}\``)
  })

  it('names only scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name as string)
    expect(named.length).toBeGreaterThan(3)
    for (const name of named) expect(scripts).toHaveProperty([name])
  })
})
