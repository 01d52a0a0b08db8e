import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { contentTypeOf, readData } from '../../../src/cli/read-data.ts'
import { UsageError } from '../../../src/cli/usage-error.ts'
import { useFolder } from '../../support/helpers.ts'

const none = Readable.from([])

describe('data', () => {
  it('is a text', async () => {
    expect(Buffer.from(await readData('ünï', none)).toString()).toBe('ünï')
  })

  it('is a file', async () => {
    const folder = useFolder()
    const file = join(folder, 'body.bin')
    writeFileSync(file, Buffer.from([0, 255, 10]))
    expect([...(await readData(`@${file}`, none))]).toEqual([0, 255, 10])
    await expect(readData(`@${folder}`, none)).rejects.toThrow(UsageError)
    await expect(readData(`@${file}.missing`, none)).rejects.toThrow(/^-d: ENOENT/)
    await expect(readData(`@${file}`, none, 2)).rejects.toThrow(/^-d: .* exceeds the 2 bytes/)
  })

  it('is standard input, up to the given number of bytes', async () => {
    const half = Buffer.alloc(500, 1)
    expect(await readData('-', Readable.from([half, half]), 1_000)).toHaveLength(1_000)
    const tooMuch = readData('-', Readable.from([half, half, Buffer.alloc(1)]), 1_000)
    await expect(tooMuch).rejects.toThrow('-d: standard input exceeds the 1000 bytes that API Gateway accepts')
    await expect(tooMuch).rejects.not.toBeInstanceOf(UsageError)
  })

  it('has no limit without a number', async () => {
    const half = Buffer.alloc(6_000_000)
    expect(await readData('-', Readable.from([half, half]))).toHaveLength(12_000_000)
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
