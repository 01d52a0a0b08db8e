import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { UsageError } from '../../../src/cli/context.ts'
import { contentTypeOf, MAX_DATA, readData } from '../../../src/cli/read-data.ts'

const none = Readable.from([])

describe('data', () => {
  it('is a text', async () => {
    expect(Buffer.from(await readData('ünï', none)).toString()).toBe('ünï')
  })

  it('is a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-data-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'body.bin')
    writeFileSync(file, Buffer.from([0, 255, 10]))
    expect([...(await readData(`@${file}`, none))]).toEqual([0, 255, 10])
    await expect(readData(`@${folder}`, none)).rejects.toThrow(UsageError)
    await expect(readData(`@${file}.missing`, none)).rejects.toThrow(/^-d: ENOENT/)
    writeFileSync(file, Buffer.alloc(MAX_DATA + 1))
    await expect(readData(`@${file}`, none)).rejects.toThrow(/^-d: .* exceeds the 10485760 bytes/)
  })

  it('is standard input, up to 10 MB', async () => {
    const half = Buffer.alloc(MAX_DATA / 2, 1)
    expect(await readData('-', Readable.from([half, half]))).toHaveLength(MAX_DATA)
    const tooMuch = readData('-', Readable.from([half, half, Buffer.alloc(1)]))
    await expect(tooMuch).rejects.toThrow('-d: standard input exceeds the 10485760 bytes that API Gateway accepts')
    await expect(tooMuch).rejects.not.toBeInstanceOf(UsageError)
  })

  it.each([
    ['{"a":1}', 'application/json'],
    ['7', 'application/json'],
    ['a=b', 'application/octet-stream'],
    ['', 'application/octet-stream'],
  ])('%j is %s', (text, type) => {
    expect(contentTypeOf(Buffer.from(text))).toBe(type)
  })
})
