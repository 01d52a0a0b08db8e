import { PassThrough, Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ReceivedResponse, type ResponseHead, type ResponseLimits } from '../../../src/transport/received-response.ts'
import { rejection } from '../../support/helpers.ts'

const CUT = new Error('cut off')

const toFailure = (error: unknown) => new Error('the failure', { cause: error })

interface Made {
  readonly status?: number
  readonly statusText?: string
  readonly contentType?: string
  readonly url?: string
}

function createResponse(source: Readable | null, made: Made = {}, limits: Omit<ResponseLimits, 'toError'> = {}) {
  const { status = 200, statusText = 'OK', contentType = 'application/x-www-form-urlencoded' } = made
  const head: ResponseHead = {
    status,
    statusText,
    headers: new Headers({ 'content-type': contentType }),
    url: made.url ?? 'http://h.example/x?q',
  }
  return new ReceivedResponse(head, source, { toError: toFailure, ...limits })
}

const fromText = (text: string, made?: Made) =>
  createResponse(Readable.from([Buffer.from(text)], { objectMode: false }), made)

/** Starts, and then waits for `fail` or for ever. */
function createHalf() {
  const source = new PassThrough()
  source.write('half')
  return { source, response: createResponse(source), fail: () => source.destroy(CUT) }
}

const settle = async () => {
  for (let turns = 0; turns < 5; turns += 1) await nextTurn()
}

/** With a member that Node.js 22's types lack. */
type Received = Response & { bytes(): Promise<Uint8Array> }
type Read = (response: Received) => unknown

const READERS: Readonly<Record<string, Read>> = {
  text: (response) => response.text(),
  json: (response) => response.json(),
  bytes: async (response) => [...(await response.bytes())],
  arrayBuffer: async (response) => [...new Uint8Array(await response.arrayBuffer())],
  blob: async (response) => {
    const blob = await response.blob()
    return [blob.type, await blob.text()]
  },
  formData: async (response) => [...(await response.formData())],
  body: async (response) => (await readAll(response)).toString(),
  clone: async (response) => {
    const clone = response.clone()
    return Promise.all([response.text(), clone.text()])
  },
  'clone of a clone': async (response) => {
    const clone = response.clone()
    const again = clone.clone()
    return Promise.all([response.text(), clone.text(), again.text()])
  },
}

async function readAll(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body ?? []) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const result = async (read: Read, response: Response) => {
  try {
    return await read(response as Received)
  } catch (error) {
    return (error as Error).name
  }
}

describe('a received response', () => {
  it('has the members of a native one', () => {
    const response = fromText('{}', { status: 201, statusText: 'Created' })
    const { status, statusText, ok, type, url, redirected, bodyUsed } = response
    expect({ status, statusText, ok, type, url, redirected, bodyUsed }).toEqual({
      status: 201,
      statusText: 'Created',
      ok: true,
      type: 'basic',
      url: 'http://h.example/x?q',
      redirected: false,
      bodyUsed: false,
    })
    expect(response).toBeInstanceOf(Response)
    expect(response.headers).toBeInstanceOf(Headers)
    expect(inspect(response)).toContain('status: 201')
    const { status: copied, headers } = new Response(response.body, response)
    expect([copied, headers.get('content-type')]).toEqual([201, 'application/x-www-form-urlencoded'])
  })

  it.each([
    [199, false],
    [200, true],
    [299, true],
    [300, false],
    [599, false],
    [999, false],
  ])('with status %d has it in its copies as well', (status, ok) => {
    const response = fromText('text', { status })
    for (const one of [response, response.clone(), response.clone().clone()]) {
      expect([one.status, one.ok, one.url, one instanceof ReceivedResponse]).toEqual([status, ok, response.url, true])
    }
  })

  it('has its own headers in a clone', () => {
    const response = fromText('text')
    const clone = response.clone()
    clone.headers.set('x-a', '1')
    expect(response.headers.has('x-a')).toBe(false)
  })

  it.each(Object.keys(READERS))('is read as a native one: %s', async (name) => {
    const read = READERS[name] as Read
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const text of ['1', '{"a":"é"}', 'a=1&b=2', '\ufeff{}', '', 'not json']) {
      const native = await result(read, new Response(text, { headers }))
      expect(await result(read, fromText(text)), text).toEqual(native)
      const unread = fromText(text)
      await settle()
      expect(await result(read, unread), `${text}, later`).toEqual(native)
      expect(unread.bodyUsed).toBe(true)
    }
  })

  const ways: Readonly<Record<string, Read>> = {
    twice: async (response) => [await response.text(), await response.text()],
    'whole twice, without waiting for the first': (response) => {
      response.text()
      return response.bytes()
    },
    'whole, then as a stream': async (response) => {
      await response.text()
      return response.body?.getReader()
    },
    'whole, then cloned': async (response) => {
      await response.arrayBuffer()
      return response.clone()
    },
    'as a blob, after it was read': async (response) => {
      await response.text()
      return response.blob()
    },
    'whole, while it is locked': (response) => {
      const reading = response.text()
      const isLocked = response.body?.locked
      return reading.then((text) => [isLocked, response.bodyUsed, text])
    },
    'whole, after its stream was looked at': (response) => response.body && response.text(),
    'as JSON, after its stream was looked at': (response) => response.body && response.json(),
    'as bytes, after its stream was looked at': async (response) => response.body && [...(await response.bytes())],
    'whole, after a reader took its stream': (response) => response.body?.getReader() && response.text(),
    'cloned, after a reader took its stream': (response) => response.body?.getReader() && response.clone(),
    'whole, after it was cancelled': async (response) => {
      await response.body?.cancel()
      return [response.bodyUsed, await response.text()]
    },
    'not at all': (response) => [response.body?.locked, response.bodyUsed],
    'by a reader with memory of its own': async (response) => {
      const reader = response.body?.getReader({ mode: 'byob' })
      const parts: string[] = []
      for (;;) {
        const part = await reader?.read(new Uint8Array(2))
        if (part === undefined || part.done) return [parts.join(''), part?.done, part?.value?.length]
        parts.push(Buffer.from(part.value).toString())
      }
    },
    'as the body of another': async (response) => new Response(response.body).text(),
  }

  it.each(Object.keys(ways))('is read as often, and as long, as a native one: %s', async (name) => {
    const outcome = async (response: Response) => {
      const found = await result(ways[name] as Read, response)
      return found instanceof Object && !Array.isArray(found) ? Object.prototype.toString.call(found) : found
    }
    expect(await outcome(fromText('{"a":1}'))).toEqual(await outcome(new Response('{"a":1}')))
    const unread = fromText('{"a":1}')
    await settle()
    expect(await outcome(unread)).toEqual(await outcome(new Response('{"a":1}')))
  })

  it('is text as any decoder reads it, wherever its bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 8 })), async (parts) => {
        const create = () => createResponse(Readable.from(parts.map((part) => Buffer.from(part))))
        const expected = new Response(Buffer.concat(parts))
        expect(await create().text()).toBe(await expected.clone().text())
        expect(await create().bytes()).toEqual(new Uint8Array(await expected.clone().arrayBuffer()))
        expect((await create().arrayBuffer()).byteLength).toBe((await expected.clone().arrayBuffer()).byteLength)
        expect(await readAll(create())).toEqual(Buffer.concat(parts))
      }),
    )
  })

  it('gives chunks that share no memory with those that follow', async () => {
    const memory = Buffer.from('one two')
    const response = createResponse(Readable.from([memory.subarray(0, 4), memory.subarray(4)], { objectMode: false }))
    expect((await readAll(response)).toString()).toBe('one two')
    expect(memory.toString()).toBe('one two')
  })

  it('takes no more of its source than its reader wants', async () => {
    let given = 0
    const source = new Readable({
      highWaterMark: 1_000,
      read() {
        given += 1_000
        this.push(Buffer.alloc(1_000))
      },
    })
    const reader = createResponse(source).body?.getReader()
    for (let count = 0; count < 5; count += 1) await reader?.read()
    await settle()
    expect(given).toBeLessThan(20_000)
    await reader?.cancel()
    expect(source.destroyed).toBe(true)
  })

  it.each([
    ['text', ''],
    ['json', 'SyntaxError'],
    ['bytes', []],
    ['arrayBuffer', []],
    ['blob', ['application/x-www-form-urlencoded', '']],
    ['formData', []],
    ['body', ''],
    ['clone', ['', '']],
  ] as const)('without a body is read as nothing: %s', async (name, expected) => {
    const response = createResponse(null, { status: 204 })
    expect([response.body, response.bodyUsed]).toEqual([null, false])
    expect(await result(READERS[name] as Read, response)).toEqual(expected)
    expect(response.status).toBe(204)
  })
})

describe('a body that breaks off', () => {
  const READS: readonly (readonly [name: string, read: Read])[] = [
    ['whole', (response) => response.text()],
    ['as JSON', (response) => response.json()],
    ['as bytes', (response) => response.bytes()],
    ['as a stream', readAll],
    ['as a blob', (response) => response.blob()],
    ['as a clone', (response) => response.clone().text()],
  ]

  it.each(READS)('fails with the converted error, %s', async (_, read) => {
    const { response, fail } = createHalf()
    const reading = rejection(read(response) as Promise<unknown>)
    await nextTurn()
    fail()
    expect(await reading).toMatchObject({ message: 'the failure', cause: CUT })
  })

  it.each(READS)('before it is read fails in the same way, %s', async (_, read) => {
    for (const turns of [0, 5]) {
      const { response, fail } = createHalf()
      for (let turn = 0; turn < turns; turn += 1) await nextTurn()
      fail()
      await settle()
      expect(await rejection(read(response) as Promise<unknown>)).toMatchObject({ message: 'the failure' })
    }
  })

  it('fails a reader that waits for its end', async () => {
    const { response, fail } = createHalf()
    const reader = response.body?.getReader()
    await reader?.read()
    const next = rejection(reader?.read() as Promise<unknown>)
    const closed = rejection(reader?.closed as Promise<unknown>)
    await nextTurn()
    fail()
    const failure = await closed
    expect(failure).toMatchObject({ message: 'the failure', cause: CUT })
    expect(await next).toBe(failure)
  })

  it('by a close without an error says so', async () => {
    for (const read of [READERS.text, READERS.body] as Read[]) {
      const { source, response } = createHalf()
      const reading = rejection(read(response) as Promise<unknown>)
      await nextTurn()
      source.destroy()
      expect(await reading).toMatchObject({ message: 'the failure', cause: expect.any(Error) })
    }
  })

  it('by a close without an error before it is read says so', async () => {
    const { source, response } = createHalf()
    source.destroy()
    expect(await rejection(response.text())).toMatchObject({ cause: { message: 'the response was closed' } })
  })

  it('does not end the process if it is not read', async () => {
    const { response, fail } = createHalf()
    fail()
    await settle()
    expect(response.bodyUsed).toBe(false)
  })
})

describe('the end of a body', () => {
  const useListener = (response: ReceivedResponse) => {
    const listener = vi.fn<(error: unknown) => void>()
    response.onEnd(listener)
    return listener
  }

  it('has come if there is none, or if it has been read', async () => {
    expect(useListener(createResponse(null))).toHaveBeenCalledExactlyOnceWith(undefined)
    const response = fromText('text')
    await response.text()
    await settle()
    expect(useListener(response)).toHaveBeenCalledExactlyOnceWith(undefined)
  })

  it.each(Object.keys(READERS).filter((name) => name !== 'formData'))(
    'comes once, before its reader goes on: %s',
    async (name) => {
      const response = fromText('1')
      const listener = useListener(response)
      expect(listener).not.toHaveBeenCalled()
      await (READERS[name] as Read)(response)
      expect(listener).toHaveBeenCalledExactlyOnceWith(undefined)
      await settle()
      expect(listener).toHaveBeenCalledOnce()
    },
  )

  it('comes for a small unread body, which can still be read', async () => {
    const response = fromText('text')
    const listener = useListener(response)
    await settle()
    expect(listener).toHaveBeenCalledExactlyOnceWith(undefined)
    expect([response.bodyUsed, await response.text(), response.bodyUsed]).toEqual([false, 'text', true])
    expect(listener).toHaveBeenCalledOnce()
  })

  it.each([
    ['looked at', (response: Response) => void response.body],
    ['cloned', (response: Response) => void response.clone()],
    ['inspected', (response: Response) => void inspect(response)],
    ['locked', (response: Response) => void response.body?.getReader()],
  ])('comes for a small body that was only %s', async (_, touch) => {
    const source = Readable.from([Buffer.from('text')])
    const response = createResponse(source)
    const listener = useListener(response)
    touch(response)
    await settle()
    expect(listener).toHaveBeenCalledExactlyOnceWith(undefined)
    expect(source.destroyed).toBe(true)
  })

  it.each([0, 5])('comes with a cancelled stream, after %d turns', async (turns) => {
    const { source, response } = createHalf()
    const listener = useListener(response)
    for (let turn = 0; turn < turns; turn += 1) await nextTurn()
    await response.body?.cancel()
    expect(listener).toHaveBeenCalledExactlyOnceWith(undefined)
    await settle()
    expect(source.destroyed).toBe(true)
  })

  it('comes with a stream that is cancelled while it is read', async () => {
    const { source, response } = createHalf()
    const reader = response.body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('half')
    const pending = reader?.read()
    await reader?.cancel(new Error('enough'))
    expect(await pending).toEqual({ done: true, value: undefined })
    expect(source.destroyed).toBe(true)
    await settle()
  })

  it.each([
    ['whole', (response: Response) => response.text()],
    ['as a stream', readAll],
  ])('comes with the error of a body that is being read, %s', async (_, read) => {
    const { response, fail } = createHalf()
    const listener = useListener(response)
    const reading = rejection(read(response))
    await nextTurn()
    fail()
    await reading
    expect(listener).toHaveBeenCalledOnce()
    expect(listener).toHaveBeenCalledWith(expect.objectContaining({ message: 'the failure', cause: CUT }))
  })

  it.each([
    ['is not read', () => {}],
    ['was only accessed', (response: Response) => void response.body],
  ])('comes without an error for a body that %s', async (_, touch) => {
    const { response, fail } = createHalf()
    const listener = useListener(response)
    touch(response)
    await nextTurn()
    fail()
    await settle()
    expect(listener).toHaveBeenCalledExactlyOnceWith(undefined)
  })
})

describe('an unread body', () => {
  const SIZE = 1_000_000

  /** A source that gives data as fast as it is read. */
  function createSource() {
    const given = { bytes: 0 }
    const source = new Readable({
      highWaterMark: 1_000,
      read() {
        given.bytes += 1_000
        this.push(given.bytes > SIZE ? null : Buffer.alloc(1_000))
      },
    })
    return { given, source }
  }

  it('is read 64 KB ahead, then slows its source down, and still arrives whole', async () => {
    const { given, source } = createSource()
    const response = createResponse(source)
    await settle()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(given.bytes).toBeGreaterThanOrEqual(65_536)
    expect(given.bytes).toBeLessThan(200_000)
    expect((await response.arrayBuffer()).byteLength).toBe(SIZE)
  })

  it('is read ahead although timers are faked', async () => {
    vi.useFakeTimers()
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const { given, source } = createSource()
    createResponse(source)
    await settle()
    expect(given.bytes).toBeGreaterThan(2_000)
  })

  it('releases its connection after 30 s, unless it is small or is read by then', async () => {
    const timers: { readonly ms: number | undefined; readonly expire: () => void; readonly timer: NodeJS.Timeout }[] =
      []
    const cleared = new Set<NodeJS.Timeout>()
    vi.doMock('node:timers', async (importOriginal) => {
      const original = await importOriginal<typeof import('node:timers')>()
      const setTimeout = (expire: () => void, ms?: number) => {
        const timer = original.setTimeout(expire, ms)
        timers.push({ ms, expire, timer })
        return timer
      }
      const clearTimeout = (timer: NodeJS.Timeout) => {
        cleared.add(timer)
        original.clearTimeout(timer)
      }
      return { ...original, setTimeout, clearTimeout }
    })
    vi.resetModules()
    onTestFinished(() => {
      vi.doUnmock('node:timers')
      vi.resetModules()
    })
    const fresh = await import('../../../src/transport/received-response.ts')
    const create = (source: Readable) =>
      new fresh.ReceivedResponse({ status: 200, statusText: '', headers: new Headers(), url: '' }, source, {
        toError: toFailure,
      })
    const isSet = (at: number) => timers[at] !== undefined && !cleared.has(timers[at].timer)

    const small = create(Readable.from([Buffer.from('text')]))
    await settle()
    expect([timers.length, isSet(0)]).toEqual([1, false])
    expect(await small.text()).toBe('text')

    const { source } = createSource()
    const unread = create(source)
    await settle()
    expect(timers[1]).toMatchObject({ ms: 30_000 })
    expect([isSet(1), timers[1]?.timer.hasRef()]).toEqual([true, false])
    timers[1]?.expire()
    expect(source.destroyed).toBe(true)
    expect(await rejection(unread.text())).toMatchObject({ message: 'the failure' })

    const read = create(createSource().source)
    await settle()
    expect((await read.bytes()).length).toBe(SIZE)
    expect(isSet(2)).toBe(false)
    expect(timers).toHaveLength(3)
  })

  const useHold = (source: Readable) => {
    const hold = { ref: vi.fn<() => void>(), unref: vi.fn<() => void>() }
    return { hold, response: createResponse(source, {}, { hold }) }
  }

  it.each([
    ['whole', (response: Response) => response.text()],
    ['as a stream', readAll],
  ])('does not keep the process alive until it is read, %s', async (_, read) => {
    const { hold, response } = useHold(createSource().source)
    expect(hold.unref).not.toHaveBeenCalled()
    await nextTurn()
    await nextTurn()
    void response.body
    expect([hold.unref.mock.calls.length, hold.ref.mock.calls.length]).toEqual([1, 0])
    const reading = read(response)
    await nextTurn()
    expect([hold.unref.mock.calls.length, hold.ref.mock.calls.length]).toEqual([1, 1])
    await reading
    expect([hold.unref.mock.calls.length, hold.ref.mock.calls.length]).toEqual([1, 1])
  })

  it('keeps the process when it is read at once', async () => {
    const source = new PassThrough()
    const { hold, response } = useHold(source)
    const reading = response.text()
    await settle()
    source.end('text')
    expect(await reading).toBe('text')
    expect([hold.unref.mock.calls.length, hold.ref.mock.calls.length]).toEqual([0, 1])
  })
})

describe('the beginning of a body', () => {
  const ANY = () => false

  it.each(Object.keys(READERS))('does not change the body: %s', async (name) => {
    const read = READERS[name] as Read
    for (const text of ['1', '{"a":"é"}', 'a=1&b=2', '']) {
      const peeked = fromText(text)
      expect(await peeked.peek(1_000, 1_000, ANY)).toBe(text)
      expect(peeked.bodyUsed).toBe(false)
      expect(await result(read, peeked), text).toEqual(await result(read, fromText(text)))
      const later = fromText(text)
      await later.peek(1_000, 1_000, ANY)
      await settle()
      expect(await result(read, later), `${text}, later`).toEqual(await result(read, fromText(text)))
    }
  })

  it('is as long as is wanted, and no longer', async () => {
    const create = () => createResponse(Readable.from([Buffer.from('one'), Buffer.from(' two'), Buffer.from(' three')]))
    const isTwo = (text: string) => text.endsWith('two')
    for (const [maxBytes, isEnough, expected] of [
      [2, ANY, 'on'],
      [5, ANY, 'one t'],
      [100, ANY, 'one two three'],
      [100, isTwo, 'one two'],
      [100, () => true, ''],
    ] as const) {
      const response = create()
      expect(await response.peek(maxBytes, 1_000, isEnough)).toBe(expected)
      expect(await response.text()).toBe('one two three')
    }
  })

  it('ends with its last byte, and leaves no timer', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
    const before = timers()
    for (const maxBytes of [3, 4]) {
      const { response } = createHalf()
      expect(await response.peek(maxBytes, 60_000, ANY)).toBe('half'.slice(0, maxBytes))
      expect(timers()).toBe(before)
    }
  })

  it('ends after its time, and the body continues with the chunk that was waited for', async () => {
    const { source, response } = createHalf()
    expect(await response.peek(1_000, 20, ANY)).toBe('half')
    source.end(' and half')
    expect(await response.text()).toBe('half and half')
  })

  it('ends with a body that breaks off, whose reader then fails', async () => {
    const { response, fail } = createHalf()
    const beginning = response.peek(1_000, 1_000, ANY)
    await nextTurn()
    fail()
    expect(await beginning).toBe('half')
    expect(await rejection(response.text())).toMatchObject({ message: 'the failure', cause: CUT })
  })

  it('is empty if there is no body, or the body is already read', async () => {
    expect(await createResponse(null).peek(1_000, 1_000, ANY)).toBe('')
    const read = fromText('text')
    await read.text()
    expect(await read.peek(1_000, 1_000, ANY)).toBe('')
    const seen = fromText('text')
    void seen.body
    expect(await seen.peek(1_000, 1_000, ANY)).toBe('')
    const peeked = fromText('text')
    const first = peeked.peek(1_000, 1_000, ANY)
    expect(await peeked.peek(1_000, 1_000, ANY)).toBe('')
    expect(await first).toBe('text')
  })

  it('releases connection and process once, like an unread body', async () => {
    for (const turns of [0, 5]) {
      const hold = { ref: vi.fn<() => void>(), unref: vi.fn<() => void>() }
      const source = Readable.from([Buffer.alloc(100_000)], { objectMode: false })
      const response = createResponse(source, {}, { hold })
      for (let turn = 0; turn < turns; turn += 1) await nextTurn()
      const before = hold.unref.mock.calls.length
      await response.peek(10, 1_000, ANY)
      await settle()
      expect(hold.unref.mock.calls.length - before).toBe(1)
      await vi.waitFor(() => expect(source.destroyed).toBe(true))
    }
  })

  it('releases the connection if the body that it waited for is cancelled', async () => {
    const { source, response } = createHalf()
    await response.peek(1_000, 5, ANY)
    await response.body?.cancel()
    expect(source.destroyed).toBe(true)
    await settle()
  })
})

describe('a body that is cut', () => {
  it.each([
    [4, 'text'],
    [5, 'text'],
    [3, 'tex...'],
    [0, '...'],
  ])('has at most %d bytes, and a mark', async (maxBytes, expected) => {
    for (const read of [READERS.text, READERS.body] as Read[]) {
      const response = createResponse(Readable.from([Buffer.from('te'), Buffer.from('xt')], { objectMode: false }))
      response.truncate(maxBytes, '...')
      expect(await read(response as Received)).toBe(expected)
    }
  })

  it('releases its source and the connection', async () => {
    const { source, response } = createHalf()
    response.truncate(2, '...')
    expect(await response.text()).toBe('ha...')
    expect(source.destroyed).toBe(true)
  })

  it('can be cut at the end of a chunk, and read as a stream', async () => {
    const response = createResponse(Readable.from([Buffer.from('te'), Buffer.from('xt')], { objectMode: false }))
    response.truncate(2, '...')
    expect((await readAll(response)).toString()).toBe('te...')
  })

  it('does not end the process if it breaks off and is not read', async () => {
    const { response, fail } = createHalf()
    response.truncate(2, '...')
    fail()
    await settle()
    expect(response.bodyUsed).toBe(false)
  })

  it('fails as its source does', async () => {
    const { response, fail } = createHalf()
    response.truncate(100, '...')
    const reading = rejection(response.text())
    await nextTurn()
    fail()
    expect(await reading).toMatchObject({ message: 'the failure' })
  })

  it('can have been peeked at, or be unread', async () => {
    const response = fromText('text')
    expect(await response.peek(1_000, 1_000, () => false)).toBe('text')
    response.truncate(2, '...')
    await settle()
    expect(await response.text()).toBe('te...')
  })

  it('is unchanged if there is none, or if it was accessed as a stream', async () => {
    const empty = createResponse(null)
    empty.truncate(2, '...')
    expect(await empty.text()).toBe('')
    const response = fromText('text')
    void response.body
    response.truncate(2, '...')
    expect(await response.text()).toBe('text')
  })
})

describe('a body that pauses', () => {
  const useIdle = (source: Readable, ms = 30) => {
    const idle = { ms, expire: vi.fn<() => void>() }
    return { idle, response: createResponse(source, {}, { idle }) }
  }
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  it('may be none', async () => {
    const idle = { ms: 30, expire: () => {} }
    expect(await createResponse(null, {}, { idle }).text()).toBe('')
  })

  it('for longer than it may expires, whether it is read or not', async () => {
    for (const isRead of [true, false]) {
      const source = new PassThrough()
      const { idle, response } = useIdle(source)
      if (isRead) rejection(response.text())
      for (let count = 0; count < 4; count += 1) {
        await wait(15)
        source.write('a')
      }
      expect(idle.expire).not.toHaveBeenCalled()
      await vi.waitFor(() => expect(idle.expire).toHaveBeenCalledOnce())
      source.destroy()
    }
  })

  it('after its end is not', async () => {
    const { idle, response } = useIdle(Readable.from([Buffer.from('text')]))
    expect(await response.text()).toBe('text')
    const broken = createHalf()
    const other = useIdle(broken.source)
    broken.fail()
    await wait(50)
    expect(idle.expire).not.toHaveBeenCalled()
    expect(other.idle.expire).not.toHaveBeenCalled()
  })

  it('because its reader does is not', async () => {
    const chunks = Array.from({ length: 5 }, () => Buffer.alloc(1_000_000))
    const { idle, response } = useIdle(Readable.from(chunks, { objectMode: false }))
    const reader = response.body?.getReader()
    let size = 0
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      if (done) break
      if (size === 0) await wait(80)
      size += value.length
    }
    expect(size).toBe(5_000_000)
    expect(idle.expire).not.toHaveBeenCalled()
  })
})

describe('a body that is too large', () => {
  const useSize = (source: Readable, bytes = 4) => {
    const error = new Error('too large')
    const createError = vi.fn<(response: Response) => Error>(() => error)
    return { error, createError, response: createResponse(source, {}, { size: { bytes, createError } }) }
  }
  const ALL = ['text', 'json', 'bytes', 'arrayBuffer', 'blob', 'formData'] as const

  it.each(ALL)('fails to be read whole, and releases its source: %s', async (name) => {
    const source = new PassThrough()
    source.write('12345')
    const { createError, response } = useSize(source)
    const listener = vi.fn()
    response.onEnd(listener)
    const failure = await rejection((READERS[name] as Read)(response as Received) as Promise<unknown>)
    expect(failure).toMatchObject({ message: 'the failure', cause: { message: 'too large' } })
    expect(createError).toHaveBeenCalledExactlyOnceWith(response)
    expect(listener).toHaveBeenCalledExactlyOnceWith(failure)
    expect(source.destroyed).toBe(true)
  })

  it('fails to be read whole after its stream was accessed, or by a clone', async () => {
    const seen = useSize(Readable.from([Buffer.from('12345')]))
    void seen.response.body
    expect(await rejection(seen.response.text())).toMatchObject({ cause: { message: 'too large' } })
    const cloned = useSize(Readable.from([Buffer.from('12345')]))
    expect(await rejection(cloned.response.clone().text())).toMatchObject({ message: 'too large' })
  })

  it('may be read as a stream, and any that is as large as it may be', async () => {
    const large = useSize(Readable.from([Buffer.from('12345')]))
    expect((await readAll(large.response)).toString()).toBe('12345')
    const fits = useSize(Readable.from([Buffer.from('12'), Buffer.from('34')], { objectMode: false }))
    expect(await fits.response.text()).toBe('1234')
    expect(fits.createError).not.toHaveBeenCalled()
  })
})

it('a body of many small chunks is put together in order', async () => {
  const text = Array.from({ length: 3_500 }, (_, at) => `${at},`)
  const response = createResponse(Readable.from(text.map((part) => Buffer.from(part))))
  expect(await response.text()).toBe(text.join(''))
})

it('the begin of reading a body is reported', async () => {
  for (const [read, expected] of [
    [(response: Response) => response.text(), 1],
    [readAll, 1],
    [(response: Response) => Promise.resolve(response.body), 0],
    [(response: Response) => Promise.resolve(response.clone()), 0],
  ] as const) {
    const onRead = vi.fn<() => void>()
    await read(createResponse(Readable.from([Buffer.from('text')]), {}, { onRead }))
    expect(onRead).toHaveBeenCalledTimes(expected)
  }
})
