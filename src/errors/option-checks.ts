import { nearestName } from './nearest-name.ts'

/** Adds what is wrong with a value to the problems, each with the path of the option. */
export type Check = (value: unknown, path: string, problems: string[]) => void

/** A value that `test` accepts; `be` says which ones those are. */
export function must(be: string, test: (value: never) => boolean): Check {
  return (value, path, problems) => {
    if (!test(value as never)) problems.push(`${path}: must be ${be}; got ${describe(value)}`)
  }
}

/** An object with these members, all of them optional. */
export function members(owner: string, checks: Readonly<Record<string, Check>>): Check {
  const names = Object.keys(checks)
  return (value, path, problems) => {
    if (!isObject(value)) {
      problems.push(`${path || 'options'}: must be an object; got ${describe(value)}`)
      return
    }
    for (const [name, member] of Object.entries(value)) {
      const at = path === '' ? name : `${path}.${name}`
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined
      if (check !== undefined) {
        if (member !== undefined) check(member, at, problems)
        continue
      }
      const nearest = nearestName(name, names)
      const advice = nearest === undefined ? `the options are ${names.join(', ')}` : `did you mean ${nearest}?`
      problems.push(`${at}: no such option of ${owner}; ${advice}`)
    }
  }
}

/** A simple value, or an object that `check` looks into. */
export function orObject(be: string, isSimple: (value: unknown) => boolean, check: Check): Check {
  return (value, path, problems) => {
    if (isSimple(value)) return
    if (isObject(value)) check(value, path, problems)
    else problems.push(`${path}: must be ${be}; got ${describe(value)}`)
  }
}

export function listOf(be: string, test: (item: never) => boolean): Check {
  return must(`a list of ${be}`, (value: unknown) => Array.isArray(value) && value.every((item) => test(item as never)))
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** `Headers`, a `Map` and the like would pass for objects without any members. */
export function isObject(value: unknown): value is object {
  return Object.prototype.toString.call(value) === '[object Object]'
}

/** What a value is, without showing a text, which may be a secret. */
export function describe(value: unknown): string {
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return String(value)
  if (Array.isArray(value)) return 'an array'
  const kind = typeof value
  return kind === 'string'
    ? value === ''
      ? 'an empty string'
      : 'a string'
    : kind === 'object'
      ? 'an object'
      : `a ${kind}`
}
