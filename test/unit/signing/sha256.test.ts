import { createSecretKey } from 'node:crypto'
import { expect, it } from 'vitest'
import { hmacHex, sha256Hex } from '../../../src/signing/sha256.ts'

it("hashes texts and bytes as the standard's example does", () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect(sha256Hex('abc')).toBe(abc)
  expect(sha256Hex(new Uint8Array([0x61, 0x62, 0x63]))).toBe(abc)
})

// RFC 4231, test case 2
it("signs texts as the standard's example does", () => {
  expect(hmacHex(createSecretKey(Buffer.from('Jefe')), 'what do ya want for nothing?')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
})
