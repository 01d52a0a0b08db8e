import { describe, expect, it } from 'vitest'
import { deriveSigningKey, Sha256 } from '../../../src/signing/signing-key.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('Sha256', () => {
  it("hashes as the standard's example does", async () => {
    const hash = new Sha256()
    hash.update(Buffer.from('a'))
    hash.update(Buffer.from('bc'))
    expect(hex(await hash.digest())).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })

  // RFC 4231, test case 2
  it("hashes with a secret as the standard's example does", async () => {
    const hmac = new Sha256('Jefe')
    hmac.update(Buffer.from('what do ya want for nothing?'))
    expect(hex(await hmac.digest())).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
  })
})

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-examples.html
it("derives the key of AWS's example", async () => {
  const identity = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
  const key = await deriveSigningKey(identity, { shortDate: '20150830', region: 'us-east-1', service: 'iam' })
  expect(hex(key.export())).toBe('c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9')
})
