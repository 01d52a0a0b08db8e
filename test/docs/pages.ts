/** The README and the pages in `docs`, taken apart. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** A fenced block. The text after the language on its first line names it for the tests; GitHub does not show it. */
export interface Block {
  readonly language: string
  readonly name: string
  readonly code: string
}

export interface Page {
  /** From the root. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** Of headings, as GitHub makes them. */
  readonly anchors: readonly string[]
  readonly links: readonly string[]
}

export const pages: readonly Page[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
  'examples/README.md',
].map(readPage)

export const readme = pages[0] as Page

export function pageAt(path: string): Page {
  const page = pages.find((one) => one.path === path)
  if (page === undefined) throw new Error(`there is no ${path}`)
  return page
}

/** All blocks of a language, each with its page. */
export function blocksOf(language: string): readonly (Block & { readonly page: string })[] {
  return pages.flatMap(({ path, blocks }) =>
    blocks.filter((block) => block.language === language).map((block) => ({ ...block, page: path })),
  )
}

/** The rows of the table whose head starts with these cells, without their head. */
export function tableOf({ path, text }: Page, ...head: readonly string[]): readonly (readonly string[])[] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${head.join(' | ')} |`.replace('|  |', '| |')))
  if (start === -1) throw new Error(`${path} has no table of ${head.join(', ')}`)
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
  return lines.slice(start + 2, end).map(cellsOf)
}

/** A pipe behind a backslash is none. */
export function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
}

function readPage(path: string): Page {
  const text = read(path)
  const blocks = [...text.matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', name = '', code = '']) => ({
      language,
      name,
      code,
    }),
  )
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return {
    path,
    text,
    blocks,
    anchors: [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => toAnchor(heading as string)),
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string),
  }
}

/** Letters, digits, hyphens and underscores stay, spaces become hyphens. */
function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
