import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createCredentialProvider } from '../src/credentials.ts'
import { IDENTITY, rejection, setEnv } from './helpers.ts'

const ENV = { AWS_ACCESS_KEY_ID: 'AKIDENV', AWS_SECRET_ACCESS_KEY: 'env-secret' }

describe('createCredentialProvider', () => {
  it('takes an identity, as a copy that nobody can change afterwards', async () => {
    const mutable = { ...IDENTITY }
    const identity = await createCredentialProvider(mutable)()
    mutable.sessionToken = 'changed'
    expect(identity).toEqual(IDENTITY)
  })

  it('calls a provider for each signature', async () => {
    let calls = 0
    const provider = createCredentialProvider(() => ({ accessKeyId: `AKID${++calls}`, secretAccessKey: 's' }))
    expect(await provider()).toEqual({ accessKeyId: 'AKID1', secretAccessKey: 's' })
    expect(await provider()).toEqual({ accessKeyId: 'AKID2', secretAccessKey: 's' })
  })

  it('reads the environment at each signature, and takes an empty token for none', async () => {
    const env: NodeJS.ProcessEnv = { ...ENV, AWS_SESSION_TOKEN: '' }
    const provider = createCredentialProvider(undefined, env)
    expect(await provider()).toEqual({ accessKeyId: 'AKIDENV', secretAccessKey: 'env-secret' })
    env.AWS_SESSION_TOKEN = 'token-2'
    expect(await provider()).toEqual({ accessKeyId: 'AKIDENV', secretAccessKey: 'env-secret', sessionToken: 'token-2' })
  })

  it.each([
    ['accessKeyId', { accessKeyId: 'hunter2\n', secretAccessKey: 's' }],
    ['accessKeyId', { secretAccessKey: 'hunter2' }],
    ['secretAccessKey', { accessKeyId: 'a', secretAccessKey: 'hunter2 ' }],
    ['sessionToken', { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 'hunter2ü' }],
    ['sessionToken', { accessKeyId: 'a', secretAccessKey: 's', sessionToken: '' }],
    ['accessKeyId', undefined],
  ])('refuses a wrong %s without showing it', async (name, identity) => {
    const error = (await rejection(Promise.resolve(createCredentialProvider(async () => identity as never)()))) as Error
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(new RegExp(`^${name} is `))
    expect(error.message).not.toContain('hunter2')
  })

  it('takes null for no token, as some providers give it', async () => {
    const identity = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: null } as never
    expect(await createCredentialProvider(identity)()).toEqual({ accessKeyId: 'a', secretAccessKey: 's' })
  })
})

describe("the AWS SDK's provider chain", () => {
  const run = async (env: NodeJS.ProcessEnv) => {
    const script = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) })
      const { createCredentialProvider } = await import('./src/credentials.ts')
      const identity = await createCredentialProvider()().catch((error) => error.name)
      console.log(JSON.stringify({ identity, chain: loaded.includes('@aws-sdk/credential-provider-node') }))`
    const bare = { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' }
    const args = ['--input-type=module', '--eval', script]
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...bare, ...env } })
    return JSON.parse(stdout)
  }

  it('is not loaded where the environment has credentials', async () => {
    expect(await run(ENV)).toEqual({
      identity: { accessKeyId: 'AKIDENV', secretAccessKey: 'env-secret' },
      chain: false,
    })
  })

  it('is asked where it has none', async () => {
    expect(await run({ AWS_ACCESS_KEY_ID: 'half' })).toEqual({ identity: 'CredentialsProviderError', chain: true })
  })

  it('gives what it finds, such as a shared credentials file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'credentials-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'credentials')
    writeFileSync(file, '[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = file-secret\n')
    setEnv({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: '/nonexistent', AWS_PROFILE: undefined })
    const provider = createCredentialProvider(undefined, {})
    const identity = { accessKeyId: 'AKIDFILE', secretAccessKey: 'file-secret' }
    expect(await Promise.all([provider(), provider()])).toEqual([identity, identity])
  })
})
