import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { signedServices } from '../../../src/middleware/signed-services.ts'
import { IDENTITY } from '../../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

type Services = Record<string, unknown>

/** A middleware with these services, as Middy runs it on a context that may be used again. */
function use(...names: string[]) {
  const services = Object.fromEntries(names.map((name) => [name, `${BASE}/${name}`]))
  const { before } = signedServices({ services, credentials: IDENTITY })
  return (request: { context: { services?: object } }): Services => {
    before?.(request as never)
    return request.context.services as Services
  }
}

const add = (given: object | undefined, ...names: string[]) =>
  use(...names)({ context: given ? { services: given } : {} })
const client = (name: string) => expect.objectContaining({ url: `${BASE}/${name}`, fetch: expect.any(Function) })

describe('services', () => {
  it('are a plain object with plain properties', () => {
    const services = add(undefined, 'ai', 'admin')
    expect(Object.keys(services)).toEqual(['ai', 'admin'])
    expect(Object.getOwnPropertyDescriptor(services, 'ai')).toEqual({
      value: client('ai'),
      writable: true,
      enumerable: true,
      configurable: true,
    })
    expect(Object.getPrototypeOf(services)).toBe(Object.prototype)
    expect('other' in services).toBe(false)
  })

  it('may be replaced, removed, added to and frozen', () => {
    const services = add(undefined, 'ai', 'admin')
    services.ai = 'mine'
    services.more = 'mine too'
    delete services.admin
    expect({ ...Object.freeze(services) }).toEqual({ ai: 'mine', more: 'mine too' })
    expect(add(services, 'admin')).toEqual({ ai: 'mine', more: 'mine too', admin: client('admin') })
  })

  it('show nothing of where they come from, however they are inspected', () => {
    const context = { services: { mock: 'mock' }, event: 'hunter2' }
    const services = use('ai')({ context })
    expect(inspect(services, { showProxy: true, depth: null })).not.toContain('hunter2')
  })

  it('named like members of every object are services, too', () => {
    expect(add(undefined, 'constructor').constructor).toEqual(client('constructor'))
  })
})

describe('added to existing services', () => {
  it('add only missing names, and do not change the object', () => {
    const given = { ai: 'mock', extra: 1 }
    const services = add(given, 'ai', 'admin')
    expect(services).toEqual({ ai: 'mock', extra: 1, admin: client('admin') })
    services.ai = 'replaced'
    expect(given).toEqual({ ai: 'mock', extra: 1 })
  })

  it('keep a name that stands for null', () => {
    expect(add({ ai: null }, 'ai').ai).toBeNull()
  })

  it('keep hidden, inherited and computed members, read with its own `this`', () => {
    class Given {
      readonly #ai = 'of a getter'
      get ai() {
        return this.#ai
      }
    }
    expect(add(new Given(), 'ai').ai).toBe('of a getter')
    expect(add(Object.create({ ai: 'inherited' }), 'ai').ai).toBe('inherited')
    expect(add(Object.defineProperty({}, 'ai', { value: 'hidden' }), 'ai', 'admin').ai).toBe('hidden')
  })

  it.each<[string, () => unknown]>([
    ['a text', () => 'anything'],
    ['a function', () => () => {}],
    ['another such mock', () => new Proxy({}, { get: () => 'anything' })],
  ])('keep all of a mock that makes up %s for every name', (_, makeUp) => {
    const made = new Map<unknown, unknown>()
    const given = new Proxy(
      {},
      {
        get: (__, name) => {
          if (!made.has(name)) made.set(name, makeUp())
          return made.get(name)
        },
      },
    )
    expect(add(given, 'ai').ai).toBe(made.get('ai'))
  })

  it('merge with those of another middleware on the same request', () => {
    const request = { context: {} }
    const { ai } = use('ai')(request)
    const services = use('ai', 'admin')(request)
    expect(services.ai).toBe(ai)
    expect(services.admin).toEqual(client('admin'))
    expect(Object.keys(services).toSorted()).toEqual(['admin', 'ai'])
  })
})

describe('on a context that is used again', () => {
  it('are never those of an earlier request, however many middlewares had put theirs there', () => {
    const mocks = { mock: 'mock' }
    const context = { services: mocks }
    const middlewares = [use('ai'), use('ai', 'admin')]
    const run = () => {
      const request = { context }
      for (const middleware of middlewares) middleware(request)
      return context.services as Services
    }
    const seen = [run(), run(), run()]
    for (const name of ['ai', 'admin']) {
      expect(new Set(seen.map((services) => services[name])).size).toBe(3)
      expect(seen[2]?.[name]).toEqual(client(name))
    }
    expect(seen.map(({ mock }) => mock)).toEqual(['mock', 'mock', 'mock'])
    expect(mocks).toEqual({ mock: 'mock' })
  })

  it('keep what a handler added to those of an earlier request', () => {
    const first = add({ mock: 'mock' }, 'ai', 'admin', 'other')
    const past = first.admin
    first.ai = 'mine'
    first.more = 'mine too'
    const second = add(first, 'ai', 'admin', 'other')
    second.other = 'again mine'
    const third = add(second, 'ai', 'admin', 'other')
    expect(third).toMatchObject({ ai: 'mine', more: 'mine too', other: 'again mine', mock: 'mock' })
    expect(third.admin).toEqual(client('admin'))
    expect(third.admin).not.toBe(past)
  })

  it('are never those of an earlier request, even where one was replaced and put back', () => {
    const request = { context: {} }
    const first = use('ai')(request)
    const past = first.ai
    first.ai = 'mine'
    const second = use('admin')(request)
    expect(second.ai).toBe('mine')
    second.ai = past
    const third = use('ai')({ context: request.context })
    expect(third.ai).toEqual(client('ai'))
    expect(third.ai).not.toBe(past)
  })

  it('forget removed members', () => {
    const first = add(undefined, 'ai')
    const past = first.ai
    delete first.ai
    const second = add(first, 'ai')
    expect(second.ai).toEqual(client('ai'))
    expect(second.ai).not.toBe(past)
  })
})
