import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly 'timeout-minutes'?: number
  readonly permissions?: Readonly<Record<string, string>>
  readonly needs?: string
  readonly strategy?: { readonly matrix: { readonly node: readonly string[] } }
  readonly steps: readonly Step[]
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

const root = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))
const readWorkflow = (name: string): Workflow => parse(read(`.github/workflows/${name}`))
const commandsOf = ({ steps }: Job) => steps.flatMap(({ run }) => run ?? [])

/** Scripts that a text calls by name, `npm test` among them. */
const scriptsIn = (text: string) =>
  [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(([, script, test]) => (script ?? test) as string)

describe('the workflows', () => {
  const names = readdirSync(join(root, '.github', 'workflows'))

  it.each(names)('%s calls existing scripts', (name) => {
    const called = scriptsIn(Object.values(readWorkflow(name).jobs).flatMap(commandsOf).join('\n'))
    expect(called.length).toBeGreaterThan(0)
    for (const script of called) expect(manifest.scripts).toHaveProperty([script])
  })

  it.each(names)('%s may only read, ends in time, and takes no action at a branch', (name) => {
    const { permissions, jobs } = readWorkflow(name)
    expect(permissions).toEqual({ contents: 'read' })
    for (const job of Object.values(jobs)) {
      expect(job['timeout-minutes']).toBeLessThanOrEqual(30)
      for (const { uses } of job.steps) if (uses !== undefined) expect(uses).toMatch(/^actions\/[\w-]+@v\d+$/)
    }
  })

  it('ci.yml runs on every Node.js that the package supports', () => {
    const { nodes } = readWorkflow('ci.yml').jobs
    const { node = [] } = nodes?.strategy?.matrix ?? {}
    const [, list = ''] = /: \[('.+')\]/.exec(read('test/platform/nodes/run.ts')) ?? []
    const others = [...list.matchAll(/'([\d.]+)'/g)].map(([, version]) => version as string)
    expect(others.length).toBeGreaterThan(1)
    expect(node).toEqual([...others, manifest.devDependencies.node].sort())
    expect(manifest.engines.node.split('.')[0]).toBe(`>=${node[0]?.split('.')[0]}`)
  })

  it('ci.yml runs the commands of the README, and the tests that need more', () => {
    const commands = Object.values(readWorkflow('ci.yml').jobs).flatMap(commandsOf)
    for (const script of ['demo', 'test:middy', 'test:runtime', 'test:types'])
      expect(commands).toContain(`npm run ${script}`)
    expect(commands).toContain('npm test')
    expect(commands).toContainEqual(expect.stringMatching(/^npm run test:nodes -- \$\{\{ matrix\.node \}\}$/))
  })

  it('publish.yml publishes after the tests, as a trusted publisher without a token', () => {
    const { on, jobs } = readWorkflow('publish.yml')
    expect(on).toEqual({ release: { types: ['published'] } })
    expect(commandsOf(jobs.test as Job)).toContain('npm test')
    expect(jobs.publish).toMatchObject({ needs: 'test', permissions: { contents: 'read', 'id-token': 'write' } })
    expect(commandsOf(jobs.publish as Job).at(-1)).toBe('npm publish --provenance --access public')
    expect(read('.github/workflows/publish.yml')).not.toMatch(/secrets\.|NODE_AUTH_TOKEN/)
    expect(manifest.publishConfig).toEqual({ access: 'public', provenance: true })
  })
})

describe('the pages', () => {
  const contributing = read('.github/CONTRIBUTING.md')
  const pages = ['README.md', 'CHANGELOG.md', '.github/CONTRIBUTING.md', '.github/SECURITY.md']

  it.each(pages)('%s names existing scripts', (page) => {
    for (const script of scriptsIn(read(page))) expect(manifest.scripts).toHaveProperty([script])
  })

  it.each(pages)('%s links to existing files', (page) => {
    for (const [, target = ''] of read(page).matchAll(/\]\((?!https:|#)([^)#]+)/g)) {
      expect(existsSync(join(root, dirname(page), target)), target).toBe(true)
    }
  })

  it('the page for contributors names existing files', () => {
    const paths = [...contributing.matchAll(/`([\w./-]+(?:\/|\.(?:ts|json|md|yml)))`/g)].map(
      ([, path]) => path as string,
    )
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) expect(existsSync(join(root, path)), path).toBe(true)
  })

  it('the page for contributors names every script', () => {
    const named = scriptsIn(contributing)
    for (const script of Object.keys(manifest.scripts)) if (script !== 'prepare') expect(named).toContain(script)
  })

  it('the changelog begins with the version of the package', () => {
    expect(/^## \[(.+?)\]/m.exec(read('CHANGELOG.md'))?.[1]).toBe(manifest.version)
  })

  it('the licence is the one in package.json', () => {
    expect(read('LICENSE').startsWith(`${manifest.license} License\n`)).toBe(true)
  })
})
