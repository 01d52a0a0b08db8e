import { nearestName } from './nearest-name.ts'

/** Checks the value of an option and adds each problem, with the option's path, to the list. */
export type Check = (value: unknown, path: string, problems: string[]) => void

/** Accepts values that pass `test`. `expected` describes these values. */
export function must(expected: string, test: (value: unknown) => boolean): Check {
  return (value, path, problems) => {
    if (!test(value)) problems.push(`${path}: must be ${expected}; got ${describe(value)}`)
  }
}

/** Accepts an object with these members, which are all optional. */
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

/** Accepts a simple value, or an object that passes `check`. */
export function orObject(expected: string, isSimple: (value: unknown) => boolean, check: Check): Check {
  return (value, path, problems) => {
    if (isSimple(value)) return
    if (isObject(value)) check(value, path, problems)
    else problems.push(`${path}: must be ${expected}; got ${describe(value)}`)
  }
}

export function listOf(expected: string, test: (item: unknown) => boolean): Check {
  return must(`a list of ${expected}`, (value) => Array.isArray(value) && value.every(test))
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** Whether a value is a plain object. `Headers` or a `Map` would count as an object without members. */
export function isObject(value: unknown): value is object {
  return Object.prototype.toString.call(value) === '[object Object]'
}

/** Describes a value without quoting a string, which may be a secret. */
export function describe(value: unknown): string {
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (value === '') return 'an empty string'
  const kind = typeof value
  return `${kind === 'object' ? 'an' : 'a'} ${kind}`
}
