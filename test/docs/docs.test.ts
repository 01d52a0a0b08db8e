import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { blocksOf, pages, read, root } from './pages.ts'

const LANGUAGES = ['json', 'mermaid', 'sh', 'text', 'ts', 'yaml']

/** A file as it is in a project that has the package installed. */
const asInstalled = (file: string) =>
  read(file)
    .replace(/'(\.\.\/)+src\/index\.ts'/, "'middy-signed-services'")
    .replace(/'(\.\.\/)+src\/request-signer\.ts'/, "'middy-signed-services/request-signer'")
    .replace(/'(\.\.\/)+src\/testing\/index\.ts'/, "'middy-signed-services/testing'")

describe.each(pages)('$path', ({ path, blocks, links }) => {
  it('has blocks of known languages', () => {
    for (const { language } of blocks) expect(LANGUAGES).toContain(language)
  })

  it('has no two blocks of a name, and none without one where it is compiled or printed', () => {
    const names = blocks.filter(({ language }) => ['ts', 'text'].includes(language)).map(({ name }) => name)
    const own = names.filter((name) => !name.includes('/'))
    expect(own).not.toContain('')
    expect(new Set(own).size).toBe(own.length)
  })

  it('has links that lead somewhere', () => {
    for (const link of links.filter((one) => !/^https?:/.test(one))) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : normalize(join(dirname(path), file))
      expect(existsSync(join(root, target)), link).toBe(true)
      if (anchor !== undefined) expect(pages.find((page) => page.path === target)?.anchors, link).toContain(anchor)
    }
  })

  it('names only scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json'))
    for (const [, name = ''] of read(path).matchAll(/npm run ([\w:-]+)/g)) expect(scripts).toHaveProperty([name])
  })
})

describe('blocks', () => {
  const files = blocksOf('ts').filter(({ name }) => name.includes('/'))

  it.each(files)('$page shows $name as it runs, or a part of it', ({ name, code }) => {
    expect(asInstalled(name)).toContain(code)
  })

  const WHOLE = ['publish-blog-post.ts', 'functions/publish-draft.ts']
  const tests = readdirSync(join(root, 'examples', 'tests')).map((file) => `tests/${file}`)

  it.each([...WHOLE, ...tests])('examples/%s is shown whole', (file) => {
    const shown = files.filter(({ name }) => name === `examples/${file}`).map(({ code }) => code)
    expect(shown).toContain(asInstalled(`examples/${file}`))
  })

  it('of shell are commands that the tests run, or an installation', () => {
    const commands = blocksOf('sh')
      .map(({ code }) => code.trim())
      // Run by command-line.test.ts.
      .filter((command) => !command.includes('npx middy-signed-services '))
    const known = ['npm install middy-signed-services @middy/core', 'npm ci && npm run demo', 'npm ci && npm test']
    for (const command of commands) expect(known).toContain(command)
  })

  it.each(blocksOf('json'))('of JSON on $page are policies that allow to invoke, and nothing more', ({ code }) => {
    expect(JSON.parse(code)).toMatchObject({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke' }],
    })
  })

  it.each(blocksOf('yaml'))('of YAML on $page are templates', ({ code }) => {
    const customTags = [{ tag: '!Sub', resolve: (text: string) => `Sub ${text}` }]
    const { Resources } = parse(code, { customTags })
    expect(Resources.IntegrationServiceApi.Properties.Auth).toEqual({ DefaultAuthorizer: 'AWS_IAM' })
    const { Environment, Policies } = Resources.Publisher.Properties
    expect(Environment.Variables.INTEGRATION_SERVICE_API_URL).toMatch(
      /^Sub https:\/\/\$\{IntegrationServiceApi\}.+\/prod$/,
    )
    expect(Policies[0].Statement[0]).toMatchObject({ Effect: 'Allow', Action: 'execute-api:Invoke' })
  })
})
