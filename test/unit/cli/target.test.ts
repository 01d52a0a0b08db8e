import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readArguments } from '../../../src/cli/arguments.ts'
import { findCredentials, findServices, loadEnvFile, resolveTarget } from '../../../src/cli/target.ts'
import { UsageError } from '../../../src/cli/usage-error.ts'
import { ServicesConfigurationError } from '../../../src/errors/index.ts'
import { IDENTITY, setEnv, useFolder } from '../../support/helpers.ts'

const resolve = (target: string, env: NodeJS.ProcessEnv = {}, ...options: string[]) => {
  const command = readArguments(['call', target, ...options])
  if (command.kind !== 'call') throw new Error('not a call')
  return resolveTarget(target, command, env)
}

const API = 'https://abc123.execute-api.eu-west-1.amazonaws.com/prod'

describe('a target', () => {
  it('is a service, by its variable', () => {
    const { service, variable, query } = resolve('userProfile', { USER_PROFILE_SERVICE_API_URL: API })
    expect(service).toMatchObject({ base: { href: API }, region: 'eu-west-1', signingName: 'execute-api' })
    expect([variable, query]).toEqual(['USER_PROFILE_SERVICE_API_URL', ''])
  })

  it.each([
    ['https://abc.lambda-url.us-east-1.on.aws/', 'lambda', 'us-east-1'],
    ['https://abc.appsync-api.us-east-2.amazonaws.com/graphql', 'appsync', 'us-east-2'],
    ['https://abc.d-1.vpc-lattice-svcs.us-west-2.on.aws', 'vpc-lattice-svcs', 'us-west-2'],
    ['https://bucket.s3.eu-central-1.amazonaws.com/key', 's3', 'eu-central-1'],
  ])('is a URL: %s', (url, signingName, region) => {
    expect(resolve(url).service).toMatchObject({ signingName, region })
  })

  it('is a URL with a query', () => {
    const { service, query, variable } = resolve(`${API}/jobs?a=b#c`)
    expect([service.base?.href, query, variable]).toEqual([`${API}/jobs`, '?a=b', undefined])
  })

  it('takes region, signing name and host of the options', () => {
    const options = ['--region', 'eu-west-1', '--signing-name', 'lambda', '--host', 'own.example.com', '--timeout', '7']
    expect(resolve('http://localhost:8080', {}, ...options).service).toMatchObject({
      region: 'eu-west-1',
      signingName: 'lambda',
      host: 'own.example.com',
      timeout: 7,
    })
  })

  it.each([
    ['abc.execute-api.eu-west-1.amazonaws.com', [], 'the URL: https:// is missing'],
    ['https://user:secret@x.example.com', [], 'the URL: must not contain credentials'],
    [API, ['--region', 'mars'], /^--region: must be a region such as eu-central-1/],
    [API, ['--region', 'us-east-1'], "the URL: the host's region is 'eu-west-1', but the option says 'us-east-1'"],
    [API, ['--signing-name', 'a b'], /^--signing-name: must be a signing name/],
    [API, ['--host', 'a/b'], /^--host: must be a host name/],
    ['http://x.example.com', [], /--allow-http/],
    ['https://sts.eu-west-1.amazonaws.com', [], /set --region and --signing-name/],
    ['7up', [], /^a service's name must start with a letter/],
  ])('%s with %j is wrong usage', (target, options, message) => {
    expect(() => resolve(target, {}, ...options)).toThrow(UsageError)
    expect(() => resolve(target, {}, ...options)).toThrow(message)
  })

  it('has a line for each wrong option', () => {
    expect(() => resolve('ai', {}, '--host', 'a/b', '--region', 'mars')).toThrow(/^--region: must .*\n--host: must .*$/)
  })

  it.each([
    [{}, 'AI_SERVICE_API_URL: API Gateway URL not set'],
    [{ AI_SERVICE_API_URL: 'https://x.example.com' }, 'AI_SERVICE_API_URL: the host name contains no region'],
    [{ AI_SERVICE_API_URL: 'https://x.example.com', AWS_REGION: 'mars' }, 'AWS_REGION: must be a region'],
  ])('that the environment %j does not hold is no wrong usage', (env, message) => {
    expect(() => resolve('ai', env)).toThrow(ServicesConfigurationError)
    expect(() => resolve('ai', env)).toThrow(message)
  })

  it('that is misspelt gets a suggestion', () => {
    const env = { INTEGRATION_SERVICE_API_URL: API }
    expect(() => resolve('integraton', env)).toThrow('\nDid you mean the service integration?')
    expect(() => resolve('admin', env)).not.toThrow('Did you mean')
  })

  it('passes on unknown errors', () => {
    const env = new Proxy(
      {},
      {
        get: () => {
          throw new Error('unknown')
        },
      },
    )
    expect(() => resolve('ai', env)).toThrow('unknown')
  })
})

describe('the environment', () => {
  it('names services', () => {
    const env = { USER_PROFILE_SERVICE_API_URL: '', AI_SERVICE_API_URL: API, B2B_SERVICE_API_URL: API, AI_URL: API }
    expect(findServices({ ...env, _SERVICE_API_URL: '', '1_SERVICE_API_URL': '', a_SERVICE_API_URL: '' })).toEqual([
      'ai',
      'b2b',
      'userProfile',
    ])
  })

  it('names services whose variable has a digit after an underscore', () => {
    const env = { USER_2_SERVICE_API_URL: API, A_1_B_SERVICE_API_URL: API, A__B_SERVICE_API_URL: API }
    const names = findServices({ ...env, USER2_SERVICE_API_URL: API })
    expect(names).toEqual(['a_1_b', 'user2', 'user_2'])
    expect(names.map((name) => resolve(name, { ...env, USER2_SERVICE_API_URL: API }).variable)).toEqual([
      'A_1_B_SERVICE_API_URL',
      'USER2_SERVICE_API_URL',
      'USER_2_SERVICE_API_URL',
    ])
  })

  it('gets the variables of a file that are not set', () => {
    const folder = useFolder()
    const file = join(folder, '.env')
    writeFileSync(file, 'A=1\n# comment\nB="two words"\n')
    const env = { A: 'set' }
    loadEnvFile(undefined, env)
    loadEnvFile(file, env)
    expect(env).toEqual({ A: 'set', B: 'two words' })
    expect(() => loadEnvFile(folder, env)).toThrow(/^--env-file: EISDIR/)
    expect(() => loadEnvFile(folder, env)).toThrow(UsageError)
    expect(() => loadEnvFile(folder, env)).toThrow(expect.objectContaining({ name: 'UsageError' }))
  })
})

describe('credentials', () => {
  it('are those of the environment', async () => {
    const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = IDENTITY
    const { name, source } = findCredentials(undefined, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY })
    expect(name).toBe('the environment')
    expect(await source.get()).toMatchObject({ accessKeyId: AWS_ACCESS_KEY_ID })
  })

  it('are those of the provider chain', () => {
    const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = IDENTITY
    for (const env of [{}, { AWS_ACCESS_KEY_ID }, { AWS_SECRET_ACCESS_KEY }]) {
      expect(findCredentials(undefined, env).name).toBe("the AWS SDK's provider chain")
    }
    expect(findCredentials(undefined, { AWS_PROFILE: 'dev' }).name).toBe("the AWS SDK's provider chain, profile dev")
  })

  it('are those of a profile, even if environment variables hold others', async () => {
    const folder = useFolder()
    const file = join(folder, 'credentials')
    writeFileSync(file, '[dev]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret-of-profile\n')
    setEnv({
      AWS_SHARED_CREDENTIALS_FILE: file,
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
    })
    const { name, source } = findCredentials('dev', process.env)
    expect(name).toBe('profile dev')
    expect(await source.get()).toMatchObject({ accessKeyId: 'AKIAPROFILE' })
  })
})
