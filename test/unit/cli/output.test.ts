import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ClosedPipeError, openFile, openStream, writeBody } from '../../../src/cli/output.ts'
import { UsageError } from '../../../src/cli/usage-error.ts'
import { useFolder } from '../../support/helpers.ts'
import { Collector } from './context.ts'

async function* chunksOf(...chunks: readonly (string | Uint8Array)[]) {
  for (const chunk of chunks) yield Buffer.from(chunk as string)
}

const secrets = new Set(['some-secret'])

describe('a body', () => {
  const write = async (contentType: string | null, isTerminal: boolean, ...chunks: (string | Uint8Array)[]) => {
    const stream = new Collector()
    await writeBody({ chunks: chunksOf(...chunks), contentType }, openStream(stream), { isTerminal, secrets })
    return stream.bytes
  }

  it.each(['application/json', 'application/problem+json; charset=utf-8', 'Application/JSON'])(
    'of %s is indented for a terminal',
    async (type) => {
      expect(String(await write(type, true, '{"a":', '"some-secret"}'))).toBe('{\n  "a": "[redacted]"\n}\n')
      expect(String(await write(type, false, '{"a":', '"some-secret"}'))).toBe('{"a":"[redacted]"}')
    },
  )

  it.each(['application/x-ndjson', 'application/jsonl', 'text/event-stream', 'text/plain; of=application/json', null])(
    'of %s is written as it comes',
    async (type) => {
      expect(String(await write(type, true, '{"a":1}\n', '{"a":2}\n'))).toBe('{"a":1}\n{"a":2}\n')
      expect(String(await write(type, true, '{"a":1}\n'))).toBe('{"a":1}\n')
    },
  )

  it('that is declared as JSON and is not is written unchanged', async () => {
    expect(String(await write('application/json', true, 'some-secret, and no JSON'))).toBe('[redacted], and no JSON\n')
    expect(await write('application/json', true)).toHaveLength(0)
  })

  it('of much JSON is not collected', async () => {
    const chunk = Buffer.alloc(4_000_000, ' ')
    expect(await write('application/json', true, '[', chunk, chunk, chunk, '1]')).toHaveLength(12_000_004)
  })

  it('of JSON is indented up to 10 MiB', async () => {
    const spaces = Buffer.alloc(10_485_758, ' ')
    const sizeOf = async (...chunks: (string | Uint8Array)[]) =>
      (await write('application/json', true, ...chunks)).length
    expect(await sizeOf('[', spaces, ']')).toBe('[]\n'.length)
    expect(await sizeOf('[', spaces, ' ', ']\n')).toBe(10_485_762)
  })

  it('may end with the start of a secret', async () => {
    expect(String(await write('text/html', false, 'an end: some-', 'sec'))).toBe('an end: some-sec')
  })

  it.each([
    ['text/plain', true, 'text\n'],
    ['text/plain', false, 'text'],
    ['image/png', true, 'text'],
    ['application/pdf; of=text/plain', true, 'text'],
    [null, true, 'text'],
  ])('of %s ends with a line on a terminal: %s', async (type, isTerminal, expected) => {
    expect(String(await write(type, isTerminal, 'te', 'xt'))).toBe(expected)
  })

  it('waits for its reader', async () => {
    const waiting: (() => void)[] = []
    const stream = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => waiting.push(done) })
    let taken = 0
    async function* source() {
      for (taken = 1; taken <= 3; taken += 1) yield Buffer.from('data')
    }
    const done = writeBody({ chunks: source(), contentType: null }, openStream(stream), { isTerminal: false, secrets })
    for (const expected of [1, 2, 3]) {
      await new Promise((resolve) => setImmediate(resolve))
      expect(taken).toBe(expected)
      waiting.shift()?.()
    }
    await done
  })
})

describe('standard output', () => {
  const failing = (code: string) => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(`write ${code}`), { code })),
    })
    stream.on('error', () => {})
    return openStream(stream)
  }

  it('may be closed by its reader', async () => {
    const sink = failing('EPIPE')
    await expect(sink.write(Buffer.from('a'))).rejects.toThrow(ClosedPipeError)
    await expect(sink.write(Buffer.from('a'))).rejects.toThrow(ClosedPipeError)
    await sink.close()
  })

  it('may fail', async () => {
    await expect(failing('ENOSPC').write(Buffer.from('a'))).rejects.toThrow('write ENOSPC')
  })
})

describe('a file', () => {
  it('keeps the old content until there is a body', async () => {
    const folder = useFolder()
    const file = join(folder, 'body')
    writeFileSync(file, 'old content')
    await (await openFile(file)).close()
    expect(readFileSync(file, 'utf8')).toBe('old content')
    const sink = await openFile(file)
    await sink.write(Buffer.from('new '))
    await sink.write(Buffer.from('body'))
    await sink.close()
    expect(readFileSync(file, 'utf8')).toBe('new body')
    await expect(sink.write(Buffer.from('more'))).rejects.toThrow()
    await expect(openFile(folder)).rejects.toThrow(UsageError)
    await expect(openFile(join(folder, 'missing', 'body'))).rejects.toThrow(/^-o: ENOENT/)
  })

  it.skipIf(process.platform === 'win32')('may be a device, which cannot be truncated', async () => {
    const sink = await openFile('/dev/null')
    await sink.write(Buffer.from('body'))
    await sink.close()
  })
})
