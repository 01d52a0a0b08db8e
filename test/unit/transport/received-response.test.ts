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

  it('has headers of its own in a clone', () => {
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
    'whole, of which nobody has waited for the first': (response) => {
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

  it.each(READS)('fails with what the error is made into, %s', async (_, read) => {
    const { response, fail } = createHalf()
    const reading = rejection(read(response) as Promise<unknown>)
    await nextTurn()
    fail()
    expect(await reading).toMatchObject({ message: 'the failure', cause: CUT })
  })

  it.each(READS)('before anybody reads it fails all the same, %s', async (_, read) => {
    for (const turns of [0, 5]) {
      const { response, fail } = createHalf()
      for (let turn = 0; turn < turns; turn += 1) await nextTurn()
      fail()
      await settle()
      expect(await rejection(read(response) as Promise<unknown>)).toMatchObject({ message: 'the failure' })
    }
  })

  it('tells a reader who waits for its end', async () => {
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

  it('ends no process where nobody reads it', async () => {
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

  it('has come where there is none, or it has been read', async () => {
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

  it('comes for a small body that nobody reads, which can still be read', async () => {
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
    ['nobody reads', () => {}],
    ['was only looked at', (response: Response) => void response.body],
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

describe('a body that nobody reads', () => {
  const SIZE = 1_000_000

  /** A source that gives as much as is taken. */
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

  it('is read 64 KB ahead, holds its source back then, and comes whole all the same', async () => {
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

  const useHold = (source: Readable) => {
    const hold = { ref: vi.fn<() => void>(), unref: vi.fn<() => void>() }
    return { hold, response: createResponse(source, {}, { hold }) }
  }

  it.each([
    ['whole', (response: Response) => response.text()],
    ['as a stream', readAll],
  ])('lets go of the process until somebody reads it, %s', async (_, read) => {
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
