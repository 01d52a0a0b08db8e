import { getEventListeners } from 'node:events'
import { Response as ForeignResponse } from 'undici'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { watchResponse } from '../../../src/client/watched-response.ts'
import { rejection } from '../../support/helpers.ts'

let controller: AbortController
let end: ReturnType<typeof vi.fn<() => void>>
const REASON = new Error('the end')
/** As an attempt does: it ends with the failure. */
const toFailure = (error: unknown) => {
  end()
  return new Error('the failure', { cause: error })
}
const watch = (response: Response) => watchResponse(response, { signal: controller.signal, end, toFailure })
const turn = () => new Promise((resolve) => setImmediate(resolve))

beforeEach(() => {
  controller = new AbortController()
  end = vi.fn<() => void>()
})

/** Starts, and then waits for `fail` or for ever. */
function halfBody() {
  let fail!: (error: unknown) => void
  const cancel = vi.fn()
  const stream = new ReadableStream({
    start(stream) {
      stream.enqueue(Buffer.from('half'))
      fail = (error) => stream.error(error)
    },
    cancel,
  })
  return { response: new Response(stream), fail, cancel }
}

describe('a watched answer', () => {
  it('has the members of a Response', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const read = async (make: () => Response) => ({
      text: await make().text(),
      json: await make().json(),
      arrayBuffer: await make().arrayBuffer(),
      bytes: await (make() as Response & { bytes(): Promise<unknown> }).bytes(),
      blob: await (await make().blob()).text(),
      formData: [...(await make().formData())],
      clone: await make().clone().text(),
      body: await new Response(make().body).text(),
    })
    const make = () => new Response('1', { headers })
    const { body } = watch(make())
    expect(await read(() => watch(make()).body)).toEqual(await read(make))
    expect(Object.getPrototypeOf(watch(make()).body)).toBe(Object.getPrototypeOf(body))
    // As test kits ask before they put a spy there.
    for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(body)))) {
      const native = Object.getOwnPropertyDescriptor(Response.prototype, name)
      expect([name, own.configurable, own.writable]).toEqual([name, native?.configurable, native?.writable])
    }
    Object.assign(body, { text: async () => 'replaced' })
    expect(await body.text()).toBe('replaced')
  })

  it.each([
    ['text', '{"a":1}'],
    ['json', { a: 1 }],
    ['arrayBuffer', new TextEncoder().encode('{"a":1}').buffer],
    ['bytes', new TextEncoder().encode('{"a":1}')],
  ] as const)('is read by %s() as it is', async (method, expected) => {
    const response = new Response('{"a":1}')
    const { body, ended } = watch(response)
    expect(body).toBe(response)
    expect(body.bodyUsed).toBe(false)
    const reading = (body as Response & { bytes(): Promise<unknown> })[method]()
    expect(body.bodyUsed).toBe(true)
    expect(await reading).toEqual(expected)
    expect(await ended).toBeUndefined()
    expect(end).toHaveBeenCalledOnce()
    await turn()
    expect(await rejection(body.text())).toBeInstanceOf(TypeError)
  })

  it('that is being read is locked, and read once, as any other', async () => {
    const { body } = watch(new Response('text'))
    const first = body.text()
    expect(body.body?.locked).toBe(true)
    expect(await rejection(body.blob())).toBeInstanceOf(TypeError)
    expect(await rejection(body.text())).toBeInstanceOf(TypeError)
    expect(await first).toBe('text')
  })

  it.each([
    ['blob', async (body: Response) => (await body.blob()).text()],
    ['a clone', async (body: Response) => body.clone().text()],
    ['its stream', async (body: Response) => new Response(body.body).text()],
    ['its stream, then all of it', async (body: Response) => body.body && body.text()],
  ])('is read by %s', async (_, read) => {
    const response = Object.defineProperty(new Response('text', { status: 201 }), 'url', { value: 'http://h/x' })
    const { body, ended } = watch(response)
    expect(await read(body)).toBe('text')
    expect(await ended).toBeUndefined()
    expect([body.status, body.url, body instanceof Response]).toEqual([201, 'http://h/x', true])
    expect(end).toHaveBeenCalledOnce()
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it.each([
    [199, false],
    [200, true],
    [299, true],
    [599, false],
    [600, false],
  ])('with status %d has it in its copies as well', (status, ok) => {
    const { body } = watch(Object.defineProperty(new Response('text'), 'status', { value: status }))
    const copy = body.clone()
    expect([copy.status, copy.ok]).toEqual([status, ok])
  })

  it('is read as a form, and cloned with its URL', async () => {
    const form = new FormData()
    form.set('a', '1')
    const response = Object.defineProperty(new Response(form), 'url', { value: 'http://h/x' })
    const { body } = watch(response)
    expect([body.clone().url, body.clone().clone().url]).toEqual(['http://h/x', 'http://h/x'])
    expect((await body.formData()).get('a')).toBe('1')
    expect(body.bodyUsed).toBe(true)
  })

  it('that nobody reads ends all the same, and can still be read', async () => {
    const { body, ended } = watch(new Response('text'))
    expect(end).not.toHaveBeenCalled()
    expect(await ended).toBeUndefined()
    expect(end).toHaveBeenCalledOnce()
    expect(body.bodyUsed).toBe(false)
    expect(await body.text()).toBe('text')
    expect(body.bodyUsed).toBe(true)
  })

  it('without a body has ended at once', async () => {
    const response = new Response(null, { status: 204 })
    const { body, ended } = watch(response)
    expect(end).toHaveBeenCalledOnce()
    expect([body, await ended]).toEqual([response, undefined])
  })

  /** Reads in its own way, and counts how often. */
  class OwnResponse extends (Response as new (body: string) => object) {
    reads = 0
    streams = 0

    async text() {
      this.reads += 1
      return 'own'
    }

    get body() {
      this.streams += 1
      return new Response('own stream').body
    }
  }

  class EmptyResponse extends OwnResponse {
    override get body() {
      return null
    }
  }

  it("of a transport's own class is read in its own way", async () => {
    const response = new OwnResponse('text') as OwnResponse & Response
    const { body, ended } = watch(response)
    expect(body).toBe(response)
    expect([await body.text(), body.bodyUsed, response.reads]).toEqual(['own', true, 1])
    expect(await ended).toBeUndefined()
    expect([await body.text(), response.reads]).toEqual(['own', 2])
    expect(response.streams).toBe(0)
  })

  it("of a transport's own class may turn out to have no body", async () => {
    const { body, ended } = watch(new EmptyResponse('text') as EmptyResponse & Response)
    expect(body.body).toBeNull()
    expect(end).toHaveBeenCalledOnce()
    expect([await ended, await body.text()]).toEqual([undefined, 'own'])
  })

  it.each([
    ['its stream', (body: Response) => new Response(body.body).text()],
    ['a clone', (body: Response) => body.clone().text()],
    ['all of it, after its stream', (body: Response) => body.body && body.text()],
  ])("of a transport's own class is read by %s, too", async (_, read) => {
    const { body, ended } = watch(new OwnResponse('text') as OwnResponse & Response)
    expect(await read(body)).toBe('own stream')
    expect(await ended).toBeUndefined()
  })

  it('of a class that is none of ours is read as well', async () => {
    const { body, ended } = watch(new ForeignResponse('text') as unknown as Response)
    expect([body instanceof Response, await body.text()]).toEqual([true, 'text'])
    expect(await ended).toBeUndefined()
  })

  it('can be watched by somebody else, too', async () => {
    const first = watch(new Response('text'))
    const second = watch(first.body)
    expect(await second.body.text()).toBe('text')
    expect(await Promise.all([first.ended, second.ended])).toEqual([undefined, undefined])
    expect(end).toHaveBeenCalledTimes(2)
  })

  it.each([
    ['all of it', (body: Response) => body.text()],
    ['a stream', (body: Response) => body.clone().text()],
  ])('that breaks off fails with the failure: %s', async (_, read) => {
    const { response, fail } = halfBody()
    const { body, ended } = watch(response)
    const reading = rejection(read(body))
    await turn()
    fail(REASON)
    const failure = await reading
    expect(failure).toMatchObject({ message: 'the failure', cause: REASON })
    expect(await ended).toBe(failure)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it.each([
    ['all of it', (body: Response) => body.json()],
    ['a stream', (body: Response) => body.clone().text()],
  ])('ends with the signal, whatever its source does: %s', async (_, read) => {
    const { response } = halfBody()
    const { body, ended } = watch(response)
    const reading = rejection(read(body))
    await turn()
    controller.abort(REASON)
    expect(await reading).toMatchObject({ message: 'the failure', cause: REASON })
    expect(await ended).toMatchObject({ message: 'the failure' })
    await turn()
    expect(end).toHaveBeenCalledOnce()
  })

  it('that nobody reads lets go of its source with the signal, and has failed nobody', async () => {
    const { response, cancel } = halfBody()
    const { body, ended } = watch(response)
    await turn()
    await turn()
    controller.abort(REASON)
    expect(await rejection(body.text())).toMatchObject({ cause: REASON })
    expect(cancel).toHaveBeenCalledExactlyOnceWith(REASON)
    await ended
  })

  it('has failed nobody where its time was over before anybody read it', async () => {
    controller.abort(REASON)
    const { body, ended } = watch(new Response('text'))
    const copy = body.clone()
    expect(await ended).toBeUndefined()
    expect(await rejection(copy.text())).toMatchObject({ cause: REASON })
  })

  it('that is not JSON says so, after it has ended', async () => {
    const { body, ended } = watch(new Response('<html>'))
    expect(await rejection(body.json())).toBeInstanceOf(SyntaxError)
    expect(await ended).toBeUndefined()
  })
})

describe('the stream of a watched answer', () => {
  const start = (cancel?: () => Promise<void>) => {
    let source!: ReadableStreamDefaultController
    const stream = new ReadableStream({
      start(controller) {
        source = controller
        controller.enqueue(Buffer.from('half'))
      },
      ...(cancel && { cancel }),
    })
    controller.signal.addEventListener('abort', () => cancel ?? source.error(new Error('aborted as well')))
    return watch(new Response(stream)).body.clone()
  }

  it.each([
    ['does not take the news well', () => Promise.reject(new Error('cannot cancel'))],
    ['fails by itself', undefined],
  ])('ends with the signal, although its source %s', async (_, cancel) => {
    const reading = rejection(start(cancel).text())
    await turn()
    controller.abort(REASON)
    expect(await reading).toMatchObject({ message: 'the failure', cause: REASON })
    await turn()
    expect(end).toHaveBeenCalledOnce()
  })
})
