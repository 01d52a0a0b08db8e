import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import type { Node } from 'typescript/unstable/ast'
import {
  isBlock,
  isCallSignatureDeclaration,
  isConstructorDeclaration,
  isExpressionWithTypeArguments,
  isFunctionDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isMethodSignatureDeclaration,
  isParameterDeclaration,
  isPropertyDeclaration,
  isPropertySignatureDeclaration,
  isTypeReferenceNode,
} from 'typescript/unstable/ast/is'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API, type Symbol as Declared, type Project, SymbolFlags } from 'typescript/unstable/sync'
import { describe, expect, it } from 'vitest'
import { defaults } from '../../src/config/options.ts'

const src = join(import.meta.dirname, '..', '..', 'src')
const ENTRIES = ['index.ts', 'request-signer.ts', 'testing/index.ts']

/** What they are given cannot make them fail. */
const NEVER_FAIL = ['fail', 'mockEnv', 'reply', 'verifySignature']

/** What a number counts. */
const UNIT = /milliseconds|seconds|bytes|HTTP status|requests|calls|retries/i

/** A public name, or what it leads to: a member, a parameter, a type that goes by another name. */
interface PublicName {
  readonly path: string
  readonly kind: 'name' | 'function' | 'option' | 'member' | 'parameter'
  /** What an editor shows of it, inherited words included. */
  readonly text: string
  readonly tags: Readonly<Record<string, string>>
  readonly isNumber: boolean
}

/** What is missing, as `path: what`. */
function gapsOf({ path, kind, text, tags, isNumber }: PublicName): string[] {
  const all = [text, ...Object.values(tags)].join('\n')
  const missing = {
    meaning: text.trim() === '',
    unit: isNumber && !UNIT.test(all),
    default: kind === 'option' && !('default' in tags) && !/\bdefault: /i.test(text),
    errors: kind === 'function' && !NEVER_FAIL.includes(path) && !('throws' in tags),
  }
  return Object.entries(missing).flatMap(([what, isMissing]) => (isMissing ? `${path}: ${what}` : []))
}

/** All that an editor can show of what a file exports and the same folder declares; constructors are the package's own. */
function readNames(root: string, files: readonly string[], config: string, api: API = new API()): PublicName[] {
  try {
    const [project] = api.updateSnapshot({ openProjects: [config] }).getProjects()
    return files.flatMap((file) => new Reader(project as Project, root).read(file))
  } finally {
    api.close()
  }
}

class Reader {
  readonly #project: Project
  readonly #root: string
  readonly #seen = new Set<number>()
  readonly #names: PublicName[] = []

  constructor(project: Project, root: string) {
    this.#project = project
    this.#root = root
  }

  read(file: string): PublicName[] {
    const { checker, program } = this.#project
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(this.#root, file)) as Node) as Declared
    for (const exported of checker.getExportsOfModule(module)) this.#take(exported)
    return this.#names
  }

  #take(reference: Declared): void {
    const { checker } = this.#project
    const symbol = reference.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(reference) : reference
    if (this.#seen.has(symbol.id) || symbol.flags & SymbolFlags.TypeParameter) return
    this.#seen.add(symbol.id)
    for (const handle of symbol.declarations) {
      const node = handle.resolve(this.#project) as Node
      if (!node.getSourceFile().fileName.startsWith(this.#root)) continue
      this.#add(symbol, symbol.name, isFunctionDeclaration(node) ? 'function' : 'name')
      this.#walk(node, symbol.name)
    }
  }

  #walk(parent: Node, path: string): void {
    parent.forEachChild((node) => {
      if (isBlock(node) || isConstructorDeclaration(node)) return
      if (isTypeReferenceNode(node)) this.#takeAt(node.typeName)
      if (isExpressionWithTypeArguments(node)) this.#takeAt(node.expression)
      if (isParameterDeclaration(node) && isCallable(parent)) this.#addAt(node.name, `${path}()`, 'parameter')
      if (!isMember(node)) return this.#walk(node, path)
      if (!isIdentifier(node.name)) return
      this.#walk(node, this.#addAt(node.name, path, 'member'))
    })
  }

  #takeAt(node: Node): void {
    const symbol = this.#project.checker.getSymbolAtLocation(node)
    if (symbol !== undefined) this.#take(symbol)
  }

  #addAt(node: Node, parent: string, kind: PublicName['kind']): string {
    const symbol = this.#project.checker.getSymbolAtLocation(node)
    const path = `${parent}.${symbol?.name ?? '{}'}`
    const isOption = kind === 'member' && parent.endsWith('Options') && symbol && symbol.flags & SymbolFlags.Optional
    this.#add(symbol, path, isOption ? 'option' : kind)
    return path
  }

  /** Without a symbol, which a parameter that is taken apart has none of, there is nothing to show. */
  #add(symbol: Declared | undefined, path: string, kind: PublicName['kind']): void {
    const { checker } = this.#project
    const type = symbol && symbol.flags & SymbolFlags.Value ? checker.getTypeOfSymbol(symbol) : undefined
    this.#names.push({
      path,
      kind,
      text: symbol?.getDocumentationComment(checker) ?? '',
      tags: Object.fromEntries(symbol?.getJsDocTags(checker).map(({ name, text = '' }) => [name, text]) ?? []),
      isNumber: type !== undefined && /^number\b/.test(checker.typeToString(type)),
    })
  }
}

function isMember(node: Node) {
  return (
    isPropertySignatureDeclaration(node) ||
    isPropertyDeclaration(node) ||
    isMethodSignatureDeclaration(node) ||
    isMethodDeclaration(node)
  )
}

function isCallable(node: Node): boolean {
  return isFunctionDeclaration(node) || isMethodDeclaration(node) || isCallSignatureDeclaration(node)
}

describe('doc comments', () => {
  const names = readNames(src, ENTRIES, join(src, '..', 'build', 'tsconfig.json'))

  it('say what each public name means, what it counts, where it starts from and how it fails', () => {
    expect(names.flatMap(gapsOf)).toEqual([])
  })

  it('are found on all that a name leads to', () => {
    const paths = names.map(({ path }) => path)
    const samples = [
      'signedServices().options',
      'CommonOptions.retry',
      'ServiceAuthError.code',
      'InvokeService().path',
      'CircuitBreaker.execute().call',
      'StatusFault.status',
    ]
    expect(paths).toEqual(expect.arrayContaining(samples))
  })

  it.each(Object.entries(defaults))('tell the default of %s', (option, value) => {
    const stated = names.find(({ path, kind }) => kind === 'option' && path.endsWith(`Options.${option}`))?.tags.default
    expect(runInNewContext(stated as string)).toEqual(value)
  })

  it('are missed where they are not', () => {
    const files = {
      '/gaps/tsconfig.json': '{ "files": ["index.ts"] }',
      '/gaps/index.ts': `
        import type { Inner } from './inner.ts'
        export interface SomeOptions {
          readonly url?: string
          /** How long to wait. */
          readonly wait?: number
        }
        /** A function. @param count How often. */
        export function run(count: number, { deep }: { readonly deep: Inner }): void {}
        /** Whole. */
        export class Whole {
          readonly #own = 1
          /** In bytes. */
          readonly size: number = 2
        }`,
      '/gaps/inner.ts': 'export interface Inner { readonly member: string }',
    }
    const api = new API({ fs: createVirtualFileSystem(files) })
    const gaps = readNames('/gaps', ['index.ts'], '/gaps/tsconfig.json', api).flatMap(gapsOf)
    expect(gaps).toEqual([
      'SomeOptions: meaning',
      'SomeOptions.url: meaning',
      'SomeOptions.url: default',
      'SomeOptions.wait: unit',
      'SomeOptions.wait: default',
      'run: errors',
      'run().count: unit',
      'run().{}: meaning',
      'run.deep: meaning',
      'Inner: meaning',
      'Inner.member: meaning',
    ])
  })
})
