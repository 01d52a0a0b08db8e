import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { addServices, type ClientSource } from '../../../src/middleware/lazy-services.ts'

interface Services {
  [name: string]: unknown
}

/** Clients are objects with their name and a number; `made` tells which were made, in order. */
function createSource(names: readonly string[], made: string[] = []): ClientSource & { readonly made: string[] } {
  return {
    made,
    services: new Map(names.map((name) => [name, undefined])),
    create(name) {
      made.push(name)
      return { name, number: made.length }
    },
  }
}

const add = (given: object | undefined, owner: object, source: ClientSource) =>
  addServices(given, owner, source) as Services

describe('services', () => {
  it('are made when they are touched, each once', () => {
    const source = createSource(['ai', 'admin'])
    const services = add(undefined, {}, source)
    expect('ai' in services).toBe(true)
    expect('other' in services).toBe(false)
    expect(services.other).toBeUndefined()
    expect(source.made).toEqual([])
    expect(services.ai).toBe(services.ai)
    expect(source.made).toEqual(['ai'])
  })

  it('look like any object that has them', () => {
    const services = add(undefined, {}, createSource(['ai', 'admin']))
    expect(Object.keys(services)).toEqual(['ai', 'admin'])
    expect({ ...services }).toEqual({ ai: services.ai, admin: services.admin })
    expect(Object.getOwnPropertyDescriptor(services, 'ai')).toEqual({
      value: services.ai,
      writable: true,
      enumerable: true,
      configurable: true,
    })
    expect(Object.getOwnPropertyDescriptor(services, 'other')).toBeUndefined()
    expect(String(services)).toBe('[object Object]')
  })

  it('may be replaced, removed and added to', () => {
    const services = add(undefined, {}, createSource(['ai', 'admin']))
    services.ai = 'mine'
    services.more = 'mine too'
    expect(services.ai).toBe('mine')
    expect(Object.keys(services).toSorted()).toEqual(['admin', 'ai', 'more'])
    delete services.more
    expect('more' in services).toBe(false)
  })

  it('can be frozen and redefined as any other object', () => {
    const services = add({ mock: 1 }, {}, createSource(['ai', 'admin']))
    Object.defineProperty(services, 'ai', { enumerable: false })
    expect(services.ai).toMatchObject({ name: 'ai' })
    expect(Object.isFrozen(Object.freeze(services))).toBe(true)
    expect(Object.keys(services).toSorted()).toEqual(['admin', 'mock'])
    expect(services.admin).toMatchObject({ name: 'admin' })
    const owner = {}
    const frozen = Object.freeze(add(undefined, owner, createSource(['ai'])))
    const more = add(frozen, owner, createSource(['admin']))
    expect(more.ai).toBe(frozen.ai)
    expect(more.admin).toMatchObject({ name: 'admin' })
    expect(frozen.admin).toBeUndefined()
  })

  it('show nothing of where they come from, however they are inspected', () => {
    const source = { ...createSource(['ai']), services: new Map([['ai', { headers: { 'x-api-key': 'secret' } }]]) }
    const services = add(undefined, { event: 'secret' }, source)
    expect(inspect(services, { showProxy: true, depth: null })).not.toContain('secret')
  })

  it('named like members of every object are services all the same', () => {
    const services = add(undefined, {}, createSource(['constructor']))
    expect(services.constructor).toMatchObject({ name: 'constructor' })
  })
})

describe('over what was there', () => {
  it('add only what is missing, and leave it as it is', () => {
    const given = { ai: 'mock', extra: 1 }
    const source = createSource(['ai', 'admin'])
    const services = add(given, {}, source)
    expect(services.ai).toBe('mock')
    expect(services.extra).toBe(1)
    expect(services.admin).toMatchObject({ name: 'admin' })
    expect(source.made).toEqual(['admin'])
    expect(Object.keys(services).toSorted()).toEqual(['admin', 'ai', 'extra'])
    services.ai = 'replaced'
    expect(given).toEqual({ ai: 'mock', extra: 1 })
  })

  it('keep a name that stands for nothing', () => {
    const services = add({ ai: null, admin: undefined }, {}, createSource(['ai', 'admin']))
    expect([services.ai, services.admin]).toEqual([null, undefined])
  })

  it('keep what it hides, inherits and makes up, read with its own `this`', () => {
    class Given {
      readonly #ai = 'of a getter'
      get ai() {
        return this.#ai
      }
    }
    expect(add(new Given(), {}, createSource(['ai'])).ai).toBe('of a getter')
    expect(add(new Given(), {}, createSource(['ai']))).toBeInstanceOf(Given)
    const hidden = Object.defineProperty({}, 'ai', { value: 'hidden' })
    const services = add(hidden, {}, createSource(['ai', 'admin']))
    expect(services.ai).toBe('hidden')
    expect(Object.keys(services)).toEqual(['admin'])
    const madeUp = new Proxy({}, { get: (_, name) => (name === 'ai' ? 'made up' : undefined) })
    expect(add(madeUp, {}, createSource(['ai'])).ai).toBe('made up')
    const anything = new Proxy({}, { get: () => 'anything' })
    expect(add(anything, {}, createSource(['ai'])).ai).toBe('anything')
  })

  it('leave what they have no client for to itself, each time that it is asked', () => {
    let count = 0
    const given = {
      get count() {
        count += 1
        return count
      },
    }
    const services = add(given, {}, createSource(['ai']))
    expect([services.count, services.count]).toEqual([1, 2])
  })

  it('forget what was removed where a context is used again', () => {
    const first = add(undefined, {}, createSource(['ai']))
    const past = first.ai
    delete first.ai
    const second = add(first, {}, createSource(['ai']))
    expect(second.ai).toMatchObject({ name: 'ai' })
    expect(second.ai).not.toBe(past)
  })

  it('share one object where their owner is the same', () => {
    const owner = {}
    const one = add(undefined, owner, createSource(['ai']))
    const two = add(one, owner, createSource(['ai', 'admin'], ['other']))
    expect(two).toBe(one)
    expect(two.ai).toEqual({ name: 'ai', number: 1 })
    expect(two.admin).toEqual({ name: 'admin', number: 2 })
    expect(Object.keys(two)).toEqual(['ai', 'admin'])
  })

  it('are never those of an earlier owner, however many had put theirs there', () => {
    const mocks = { mock: 'mock' }
    const past = {}
    const earlier = add(add(mocks, past, createSource(['ai'])), past, createSource(['admin']))
    const [pastAi, pastAdmin] = [earlier.ai, earlier.admin]
    const now = {}
    const services = add(add(earlier, now, createSource(['ai'])), now, createSource(['admin']))
    expect(services.ai).not.toBe(pastAi)
    expect(services.admin).not.toBe(pastAdmin)
    expect(services.mock).toBe('mock')
    expect(earlier.ai).toBe(pastAi)
    expect(mocks).toEqual({ mock: 'mock' })
  })

  it('keep what somebody has put among those of an earlier owner', () => {
    const first = add({ mock: 'mock' }, {}, createSource(['ai', 'admin', 'other']))
    const past = [first.admin, first.ai]
    first.ai = 'mine'
    first.more = 'mine too'
    const second = add(first, {}, createSource(['ai', 'admin', 'other']))
    second.other = 'again mine'
    const third = add(second, {}, createSource(['ai', 'admin', 'other']))
    expect({ ...third }).toMatchObject({ ai: 'mine', more: 'mine too', other: 'again mine', mock: 'mock' })
    expect(past).not.toContain(third.admin)
  })
})
