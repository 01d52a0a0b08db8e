import { PassThrough, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { continueFrom, cut, limitIdle } from '../../../src/transport/body-streams.ts'

const MS = 100

const bytes = (...texts: string[]) => texts.map((text) => Buffer.from(text))

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string[]> {
  const texts: string[] = []
  for await (const chunk of chunks) texts.push(chunk.toString())
  return texts
}

describe('an idle limit', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  function createLimited() {
    const source = new PassThrough()
    const expire = vi.fn()
    return { source, expire, body: limitIdle(source, { ms: MS, expire }) }
  }

  it('expires once after the time without data', () => {
    const { expire } = createLimited()
    vi.advanceTimersByTime(MS - 1)
    expect(expire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(3 * MS)
    expect(expire).toHaveBeenCalledOnce()
  })

  it('starts again with each chunk', async () => {
    const { source, expire } = createLimited()
    for (let chunks = 0; chunks < 3; chunks += 1) {
      vi.advanceTimersByTime(MS - 1)
      source.write('chunk')
      await nextTurn()
    }
    vi.advanceTimersByTime(MS - 1)
    expect(expire).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(expire).toHaveBeenCalledOnce()
  })

  it('starts again after a pause', () => {
    const { source, expire } = createLimited()
    source.pause()
    vi.advanceTimersByTime(3 * MS)
    expect(expire).not.toHaveBeenCalled()
    source.resume()
    vi.advanceTimersByTime(MS)
    expect(expire).toHaveBeenCalledOnce()
  })

  it.each([
    ['ends', (source: PassThrough) => source.end()],
    ['fails', (source: PassThrough) => source.destroy(new Error('cut off'))],
  ])('leaves no timer after the stream %s', async (_, end) => {
    const { source, expire, body } = createLimited()
    end(source)
    await finished(body.resume()).catch(() => {})
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(MS)
    expect(expire).not.toHaveBeenCalled()
  })
})

describe('a continued stream', () => {
  it('has the chunks that were read, the pending one and the rest', async () => {
    const chunks = Readable.from(bytes('b', 'c'))[Symbol.asyncIterator]()
    expect(await textOf(continueFrom(bytes('a'), chunks.next(), chunks))).toEqual(['a', 'b', 'c'])
    const rest = Readable.from(bytes('b', 'c'))[Symbol.asyncIterator]()
    expect(await textOf(continueFrom(bytes('a'), undefined, rest))).toEqual(['a', 'b', 'c'])
  })

  it('ends with its pending chunk if that is the last', async () => {
    const chunks = Readable.from([])[Symbol.asyncIterator]()
    expect(await textOf(continueFrom(bytes('a'), chunks.next(), chunks))).toEqual(['a'])
  })

  it('destroys the stream when its reader stops early', async () => {
    const read = Readable.from(bytes('b', 'c'))
    const chunks = read[Symbol.asyncIterator]()
    for await (const _ of continueFrom([], chunks.next(), chunks)) break
    expect(read.destroyed).toBe(true)
  })

  it('reads iterators that cannot be ended', async () => {
    const [first] = bytes('a')
    const next = async () => ({ done: true, value: undefined }) as const
    expect(await textOf(continueFrom([first as Buffer], undefined, { next }))).toEqual(['a'])
  })
})

describe('a cut stream', () => {
  it.each([
    [['abc'], 3, ['abc']],
    [['abcd'], 3, ['abc', '…']],
    [['ab', 'cd', 'ef'], 3, ['ab', 'c', '…']],
    [['ab', 'c', 'd'], 3, ['ab', 'c', '', '…']],
    [[], 3, []],
  ])('%j after %d bytes is %j', async (texts, maxBytes, result) => {
    expect(await textOf(cut(Readable.from(bytes(...texts)), maxBytes, '…'))).toEqual(result)
  })
})
