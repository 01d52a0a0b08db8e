import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { blocksOf, pages, read, root } from './pages.ts'

const LANGUAGES = ['console', 'js', 'json', 'mermaid', 'sh', 'text', 'ts', 'yaml']

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
    expect(read(name)).toContain(code)
  })

  const WHOLE = ['publish-blog-post.ts', 'functions/publish-draft.ts']
  const inFolders = ['getting-started', 'tests'].flatMap((folder) =>
    readdirSync(join(root, 'examples', folder)).map((file) => `${folder}/${file}`),
  )

  it.each([...WHOLE, ...inFolders])('examples/%s is shown whole', (file) => {
    const shown = files.filter(({ name }) => name === `examples/${file}`).map(({ code }) => code)
    expect(shown).toContain(read(`examples/${file}`))
  })

  it.each(blocksOf('json'))(
    'of JSON on $page can be read, and policies allow to invoke, and nothing more',
    ({ code }) => {
      const { Statement } = JSON.parse(code)
      if (Statement !== undefined) expect(Statement).toMatchObject([{ Effect: 'Allow', Action: 'execute-api:Invoke' }])
    },
  )

  it.each(blocksOf('yaml'))('of YAML on $page can be read', ({ code }) => {
    const customTags = ['!Sub', '!Ref', '!GetAtt'].map((tag) => ({ tag, resolve: (text: string) => `${tag} ${text}` }))
    expect(parse(code, { customTags })).toBeTypeOf('object')
  })
})
