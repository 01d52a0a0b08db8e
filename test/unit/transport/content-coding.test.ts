import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import zlib, { brotliCompressSync, createGzip, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { ACCEPTED_CODINGS, decode } from '../../../src/transport/content-coding.ts'
import { rejection } from '../../support/helpers.ts'

const LONG = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * at) % 251))

const read = (body: Buffer, contentEncoding: string) => buffer(decode(Readable.from([body]), contentEncoding))

const times = (count: number, body: Buffer): Buffer => (count === 0 ? body : times(count - 1, gzipSync(body)))

describe('decode', () => {
  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['BR', brotliCompressSync],
    ['gzip, br', (body: Buffer) => brotliCompressSync(gzipSync(body))],
    ['br,  GZIP', (body: Buffer) => gzipSync(brotliCompressSync(body))],
    ['gzip,gzip,gzip,gzip,gzip', (body: Buffer) => times(5, body)],
  ])('undoes %s', async (contentEncoding, encode) => {
    expect(await read(encode(LONG), contentEncoding)).toEqual(LONG)
    expect(await read(encode(Buffer.alloc(0)), contentEncoding)).toEqual(Buffer.alloc(0))
  })

  it.skipIf(zlib.zstdCompressSync === undefined)('undoes zstd where Node.js has it', async () => {
    expect(await read(zlib.zstdCompressSync(LONG), 'zstd')).toEqual(LONG)
  })

  it.each(['rot13', 'gzip, rot13', 'identity', '', 'constructor', '__proto__', 'gzip,gzip,gzip,gzip,gzip,gzip'])(
    'leaves a body as it is whose codings are %j',
    (contentEncoding) => {
      const body = new PassThrough()
      expect(decode(body, contentEncoding)).toBe(body)
    },
  )

  it('knows every coding that is offered', () => {
    for (const coding of ACCEPTED_CODINGS.split(', ')) {
      const body = new PassThrough()
      expect(decode(body, coding), coding).not.toBe(body)
    }
  })

  it.each([
    ['gzip', gzipSync(LONG).subarray(0, -10)],
    ['deflate', deflateSync(LONG).subarray(0, -10)],
    ['br', brotliCompressSync(LONG).subarray(0, -10)],
    ['gzip', Buffer.alloc(0)],
  ])('takes %s as it is where its end is missing, as fetch does', async (contentEncoding, body) => {
    const decoded = await read(body, contentEncoding)
    expect(decoded.length > 0).toBe(body.length > 0)
    expect(LONG.subarray(0, decoded.length)).toEqual(decoded)
  })

  it.each(['gzip', 'br'])('gives what has arrived while more is expected: %s', async (coding) => {
    const encoder = coding === 'gzip' ? createGzip() : zlib.createBrotliCompress()
    const decoded = decode(encoder, coding)
    encoder.write('half')
    encoder.flush()
    expect(String((await once(decoded, 'data'))[0])).toBe('half')
    encoder.end(' and half')
    expect(await text(decoded)).toBe(' and half')
  })

  it('fails for a body that is not encoded so', async () => {
    expect(await rejection(read(Buffer.from('not gzip at all'), 'gzip'))).toMatchObject({ code: 'Z_DATA_ERROR' })
  })

  it.each(['gzip', 'gzip, gzip'])('fails as its source does: %s', async (contentEncoding) => {
    const source = new PassThrough()
    const decoded = decode(source, contentEncoding)
    const reason = new Error('cut off')
    source.destroy(reason)
    expect(await rejection(buffer(decoded))).toBe(reason)
  })

  it.each(['gzip', 'gzip, gzip'])('releases its source: %s', async (contentEncoding) => {
    const source = new PassThrough()
    const decoded = decode(source, contentEncoding)
    decoded.destroy()
    await vi.waitFor(() => expect(source.destroyed).toBe(true))
  })
})
