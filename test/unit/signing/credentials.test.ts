import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  type CredentialSource,
  createCredentialSource,
  createProviderSource,
  isIdentity,
} from '../../../src/signing/credentials.ts'
import { IDENTITY, rejection, setEnv, useFolder } from '../../support/helpers.ts'

const ENV = { AWS_ACCESS_KEY_ID: 'AKIDENV', AWS_SECRET_ACCESS_KEY: 'env-secret' }

/** At once or later. */
const get = async (source: CredentialSource): Promise<AwsCredentialIdentity> => source.get()

describe('createCredentialSource', () => {
  it('copies an identity, so that later changes have no effect', async () => {
    const mutable = { ...IDENTITY }
    const source = createCredentialSource(mutable)
    const identity = await source.get()
    mutable.sessionToken = 'changed'
    expect(identity).toEqual(IDENTITY)
    expect(await createCredentialSource(IDENTITY).renew(IDENTITY)).toEqual(IDENTITY)
  })

  it('reads environment variables at each signature, and ignores an empty token', async () => {
    const env: NodeJS.ProcessEnv = { ...ENV, AWS_SESSION_TOKEN: '' }
    const source = createCredentialSource(undefined, env)
    const first = await source.get()
    expect(first).toEqual({ accessKeyId: 'AKIDENV', secretAccessKey: 'env-secret' })
    expect(await source.get()).toBe(first)
    env.AWS_SESSION_TOKEN = 'token-2'
    const second = { accessKeyId: 'AKIDENV', secretAccessKey: 'env-secret', sessionToken: 'token-2' }
    expect(await source.get()).toEqual(second)
    expect(await source.renew(first)).toEqual(second)
  })

  it.each([
    ['accessKeyId', { accessKeyId: 'hunter2\n', secretAccessKey: 's' }],
    ['accessKeyId', { accessKeyId: '\nhunter2', secretAccessKey: 's' }],
    ['accessKeyId', { secretAccessKey: 'hunter2' }],
    ['secretAccessKey', { accessKeyId: 'a', secretAccessKey: 'hunter2 ' }],
    ['sessionToken', { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 'hunter2ü' }],
    ['sessionToken', { accessKeyId: 'a', secretAccessKey: 's', sessionToken: '' }],
    ['accessKeyId', undefined],
  ])('refuses a wrong %s without showing it', async (name, identity) => {
    const error = (await rejection(get(createCredentialSource(async () => identity as never)))) as Error
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(new RegExp(`^${name} is `))
    expect(error.message).not.toContain('hunter2')
  })

  it('treats null as no token, because some providers return it', async () => {
    const identity = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: null } as never
    expect(await createCredentialSource(identity).get()).toEqual({ accessKeyId: 'a', secretAccessKey: 's' })
  })
})

describe('a provider', () => {
  const MINUTE = 60_000
  let time: number
  let calls: ({ forceRefresh?: boolean } | undefined)[]
  beforeEach(() => {
    time = 0
    calls = []
  })
  const make = (n: number, lifetime?: number) => ({
    accessKeyId: `AKID${n}`,
    secretAccessKey: 's',
    ...(lifetime && { expiration: new Date(time + lifetime) }),
  })
  const source = (lifetime?: number, provider?: AwsCredentialProvider) =>
    createProviderSource(
      provider ??
        (async (options) => {
          calls.push(options)
          return make(calls.length, lifetime)
        }),
      () => time,
    )
  const keyOf = async (identity: Promise<{ accessKeyId: string }>) => (await identity).accessKeyId
  const settle = () => new Promise((resolve) => setImmediate(resolve))

  it('is asked once for calls at the same time, and again for later ones, where nothing expires', async () => {
    const { get } = source()
    expect(await Promise.all([keyOf(get()), keyOf(get()), keyOf(get())])).toEqual(['AKID1', 'AKID1', 'AKID1'])
    expect(await keyOf(get())).toBe('AKID2')
  })

  it('is asked again in the background during the last five minutes, and never used past the end', async () => {
    const { get } = source(60 * MINUTE)
    expect(await keyOf(get())).toBe('AKID1')
    time = 55 * MINUTE
    expect(await keyOf(get())).toBe('AKID1')
    await settle()
    expect(calls).toHaveLength(1)
    time = 55 * MINUTE + 1
    expect(await Promise.all([keyOf(get()), keyOf(get())])).toEqual(['AKID1', 'AKID1'])
    await settle()
    expect(calls).toHaveLength(2)
    expect(await keyOf(get())).toBe('AKID2')
    time = 200 * MINUTE
    expect(await keyOf(get())).toBe('AKID3')
  })

  it('may fail in the background while the cached credentials are valid', async () => {
    let fails = false
    const provider = async () => {
      calls.push(undefined)
      if (fails) throw new Error('throttled')
      return make(calls.length, 10 * MINUTE)
    }
    const { get } = source(undefined, provider)
    await get()
    fails = true
    time = 9 * MINUTE
    expect(await keyOf(get())).toBe('AKID1')
    await settle()
    time = 10 * MINUTE
    expect(await rejection(get())).toMatchObject({ message: 'throttled' })
    fails = false
    expect(await keyOf(get())).toBe('AKID4')
  })

  it('that throws at once is asked again', async () => {
    const { get } = source(undefined, () => {
      calls.push(undefined)
      if (calls.length === 1) throw new Error('not yet')
      return make(calls.length)
    })
    expect(await rejection(get())).toMatchObject({ message: 'not yet' })
    expect(await keyOf(get())).toBe('AKID2')
  })

  it('is forced once where several are refused at the same time', async () => {
    const { get, renew } = source(60 * MINUTE)
    const refused = await get()
    const renewed = await Promise.all([renew(refused), renew(refused), renew(refused)])
    expect(renewed.map(({ accessKeyId }) => accessKeyId)).toEqual(['AKID2', 'AKID2', 'AKID2'])
    expect(calls).toEqual([undefined, { forceRefresh: true }])
    expect(await keyOf(renew(refused))).toBe('AKID2')
    expect(calls).toHaveLength(2)
  })

  it('is forced where it was not asked before', async () => {
    expect(await keyOf(source().renew(IDENTITY))).toBe('AKID1')
    expect(calls).toEqual([{ forceRefresh: true }])
  })

  it('is forced once even where it has nothing new', async () => {
    const { get, renew } = source(undefined, async (options) => {
      calls.push(options)
      return make(1, 60 * MINUTE)
    })
    const refused = await get()
    await Promise.all([renew(refused), renew(refused)])
    expect(calls).toEqual([undefined, { forceRefresh: true }])
  })

  it('that has nothing new is forced again only after a second', async () => {
    time = 5000
    const { get, renew } = source(undefined, async (options) => {
      calls.push(options)
      return make(1, 60 * MINUTE)
    })
    const refused = await get()
    await renew(refused)
    await settle()
    time += 999
    await renew(refused)
    expect(calls).toHaveLength(2)
    time += 1
    await renew(refused)
    expect(calls).toHaveLength(3)
  })

  it('is not forced for credentials that have been replaced', async () => {
    const { get, renew } = source(60 * MINUTE)
    const refused = await get()
    await renew(refused)
    time += 2000
    expect(await keyOf(renew(refused))).toBe('AKID2')
    expect(calls).toHaveLength(2)
  })

  it('that failed when it was forced is forced again at once', async () => {
    const { renew } = source(undefined, async (options) => {
      calls.push(options)
      if (calls.length === 1) throw new Error('no answer')
      return make(2)
    })
    await expect(renew(IDENTITY)).rejects.toThrow('no answer')
    await settle()
    expect(await keyOf(renew(IDENTITY))).toBe('AKID2')
    expect(calls).toEqual([{ forceRefresh: true }, { forceRefresh: true }])
  })

  it('is waited for where a refresh is in flight, and forced if that brought nothing new', async () => {
    const results = [make(1, MINUTE), make(1, MINUTE), make(2, 60 * MINUTE)]
    const { get, renew } = source(undefined, async (options) => {
      calls.push(options)
      return results[calls.length - 1] as (typeof results)[0]
    })
    const refused = await get()
    void get()
    expect(await keyOf(renew(refused))).toBe('AKID2')
    expect(calls).toEqual([undefined, undefined, { forceRefresh: true }])
  })

  it('is forced where a refresh in flight fails', async () => {
    const { get, renew } = source(undefined, async (options) => {
      calls.push(options)
      if (calls.length === 2) throw new Error('throttled')
      return make(calls.length, MINUTE)
    })
    const refused = await get()
    void get()
    expect(await keyOf(renew(refused))).toBe('AKID3')
  })

  it('whose expiration is no date is one that expires never', async () => {
    const { get } = source(undefined, async () => {
      calls.push(undefined)
      return { ...make(calls.length), expiration: 'tomorrow' as never }
    })
    expect([await keyOf(get()), await keyOf(get())]).toEqual(['AKID1', 'AKID2'])
  })
})

describe('calls that wait for a provider', () => {
  const LIFETIME = 3_600_000
  let time: number
  let given: PromiseWithResolvers<AwsCredentialIdentity>[]
  beforeEach(() => {
    time = 0
    given = []
  })
  const create = () =>
    createProviderSource(
      () => {
        const next = Promise.withResolvers<AwsCredentialIdentity>()
        given.push(next)
        return next.promise
      },
      () => time,
    )
  const make = (accessKeyId: string) => ({ accessKeyId, secretAccessKey: 's', expiration: new Date(time + LIFETIME) })
  const give = (index: number, accessKeyId: string) => given[index]?.resolve(make(accessKeyId))
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  const createWithRejected = async () => {
    const source = create()
    const rejected = source.get()
    await settle()
    give(0, 'AKIDOLD')
    return { source, rejected: await rejected }
  }
  /** A call that was given up before the provider returned. */
  const getAborted = async ({ get }: CredentialSource) => {
    const controller = new AbortController()
    const aborted = rejection(Promise.resolve(get(controller.signal)))
    await settle()
    controller.abort('enough')
    expect(await aborted).toBe('enough')
  }

  it('share one provider call, also after one of them was given up', async () => {
    const source = create()
    const first = source.get(new AbortController().signal)
    await getAborted(source)
    const third = source.get(new AbortController().signal)
    await settle()
    expect(given).toHaveLength(1)
    give(0, 'AKID1')
    expect(await Promise.all([first, third])).toMatchObject([{ accessKeyId: 'AKID1' }, { accessKeyId: 'AKID1' }])
  })

  it('count also without a signal', async () => {
    const source = create()
    const first = source.get()
    await getAborted(source)
    const third = source.get()
    await settle()
    expect(given).toHaveLength(1)
    give(0, 'AKID1')
    expect(await Promise.all([first, third])).toMatchObject([{ accessKeyId: 'AKID1' }, { accessKeyId: 'AKID1' }])
  })

  it('get credentials that came too late for the call before', async () => {
    const source = create()
    await getAborted(source)
    give(0, 'AKID1')
    await settle()
    expect(await source.get()).toMatchObject({ accessKeyId: 'AKID1' })
    expect(given).toHaveLength(1)
  })

  it('keep newer credentials when an abandoned provider call returns', async () => {
    const source = create()
    await getAborted(source)
    const second = source.get()
    await settle()
    give(1, 'AKID2')
    await second
    give(0, 'AKID1')
    await settle()
    expect(await source.get()).toMatchObject({ accessKeyId: 'AKID2' })
    expect(given).toHaveLength(2)
  })

  it('share the current provider call after an abandoned one has failed', async () => {
    const source = create()
    await getAborted(source)
    const second = source.get()
    await settle()
    given[0]?.reject(new Error('too late'))
    await settle()
    const third = source.get()
    await settle()
    expect(given).toHaveLength(2)
    give(1, 'AKID2')
    expect(await Promise.all([second, third])).toMatchObject([{ accessKeyId: 'AKID2' }, { accessKeyId: 'AKID2' }])
  })

  it.each<[string, () => void]>([
    ['returns the rejected credentials', () => give(1, 'AKIDOLD')],
    ['fails', () => given[1]?.reject(new Error('no answer'))],
  ])('share one forced refresh that takes longer than a second and %s', async (_, end) => {
    const { source, rejected } = await createWithRejected()
    const first = source.renew(rejected).catch(() => rejected)
    const second = source.renew(rejected)
    await settle()
    time += 5_000
    end()
    expect(await Promise.all([first, second])).toMatchObject([{ accessKeyId: 'AKIDOLD' }, { accessKeyId: 'AKIDOLD' }])
    expect(given).toHaveLength(2)
  })

  it('force no refresh after they were given up', async () => {
    const { source, rejected } = await createWithRejected()
    time += LIFETIME - 1
    // Starts a refresh in the background.
    await source.get()
    const controller = new AbortController()
    const renewed = rejection(source.renew(rejected, controller.signal))
    await settle()
    controller.abort('enough')
    expect(await renewed).toBe('enough')
    await settle()
    expect(given).toHaveLength(2)
  })
})

describe('isIdentity', () => {
  it.each([
    [{ accessKeyId: 'a', secretAccessKey: 's' }, true],
    [{ accessKeyId: 'a' }, false],
    [{ secretAccessKey: 's' }, false],
    [null, false],
    [undefined, false],
    ['text', false],
  ])('of %j is %s', (value, expected) => {
    expect(isIdentity(value)).toBe(expected)
  })
})

describe("the AWS SDK's provider chain", () => {
  const run = async (env: NodeJS.ProcessEnv) => {
    const script = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) })
      const { createCredentialSource } = await import('./src/signing/credentials.ts')
      const get = async () => createCredentialSource().get()
      const identity = await get().catch((error) => error.name)
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

  it('says so if a bundle does not contain it', async () => {
    vi.doMock('@aws-sdk/credential-provider-node', () => {
      throw new Error('Cannot find package')
    })
    onTestFinished(() => {
      vi.doUnmock('@aws-sdk/credential-provider-node')
    })
    const error = await rejection(Promise.resolve(createCredentialSource(undefined, {}).get()))
    expect(error).toMatchObject({
      message: 'AWS_ACCESS_KEY_ID is not set, and @aws-sdk/credential-provider-node cannot be loaded',
      cause: expect.any(Error),
    })
  })

  it('is found where a bundle gives its exports as members of `default` only', async () => {
    const defaultProvider = () => async () => IDENTITY
    // `undefined`, because vitest refuses to read an export that a mock does not name.
    vi.doMock('@aws-sdk/credential-provider-node', () => ({ defaultProvider: undefined, default: { defaultProvider } }))
    onTestFinished(() => {
      vi.doUnmock('@aws-sdk/credential-provider-node')
    })
    expect(await createCredentialSource(undefined, {}).get()).toEqual(IDENTITY)
  })

  it('gives what it finds once for all calls, and new credentials after a rejected token', async () => {
    const folder = useFolder()
    const script = join(folder, 'provide.sh')
    const answer =
      '{"Version":1,"AccessKeyId":"AKID%s","SecretAccessKey":"s","SessionToken":"t","Expiration":"2999-01-01T00:00:00Z"}'
    writeFileSync(script, `echo run >> ${folder}/runs; printf '${answer}' $(wc -l < ${folder}/runs)`)
    writeFileSync(join(folder, 'config'), `[default]\ncredential_process = sh ${script}\n`)
    setEnv({
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_PROFILE: undefined,
    })
    const source = createCredentialSource(undefined, { AWS_ACCESS_KEY_ID: 'half' })
    const [first, second] = await Promise.all([source.get(), source.get()])
    expect([first.accessKeyId, second.accessKeyId, (await source.get()).accessKeyId]).toEqual([
      'AKID1',
      'AKID1',
      'AKID1',
    ])
    expect((await source.renew(first)).accessKeyId).toBe('AKID2')
    expect((await source.get()).accessKeyId).toBe('AKID2')
  })
})
