import middy from '@middy/core'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type AwsCredentialProvider,
  type CircuitOpenError,
  createServices,
  type ServiceAuthError,
  type ServiceClient,
  type ServiceError,
  type ServiceErrorCode,
  type ServiceNetworkError,
  type ServiceRequestError,
  type ServiceResponseError,
  type Services,
  type ServicesConfigurationError,
  type ServicesContext,
  type ServicesOption,
  type ServiceThrottledError,
  type ServiceTimeoutError,
  signedServices,
} from '../../src/index.ts'
import { type MockClient, type MockServices, mockServices } from '../../src/testing/index.ts'

const URL = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

interface Four {
  readonly ai: ServiceClient
  readonly integration: ServiceClient
  readonly background: ServiceClient
  readonly admin: ServiceClient
}
interface Two {
  readonly ai: ServiceClient
  readonly userProfile: ServiceClient
}
interface Any {
  readonly [name: string]: ServiceClient
}

const names = ['ai', 'userProfile'] as const
const anyNames: string[] = ['ai']
const urls = { ai: URL, userProfile: URL }
const options = { ai: { timeout: 5_000 }, userProfile: { env: 'PROFILE_URL', optional: true } }
const mixed = { ai: URL, userProfile: { url: URL, headers: { 'x-tenant': 'a' } } }
const anyObject: { readonly [name: string]: string } = urls
const anyOption: ServicesOption = names

/** Compiled, never called: there is nothing to look at but the types. */
const compiles = (check: () => void) => expect(check).toBeTypeOf('function')

describe('services on the context', () => {
  it('are the default four without the option', () =>
    compiles(() => {
      middy()
        .use(signedServices())
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<Four>()
          // @ts-expect-error: not named
          services.userProfile
        })
      middy()
        .use(signedServices({ timeout: 5_000 }))
        .handler(async (_, { services }) => expectTypeOf(services).toEqualTypeOf<Four>())
    }))

  it('are those of a list', () =>
    compiles(() => {
      middy()
        .use(signedServices({ services: ['ai', 'userProfile'] }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<Two>()
          // @ts-expect-error: not named
          services.admin
        })
      middy()
        .use(signedServices({ services: names }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<Two>()
          // @ts-expect-error: not named
          services.admin
        })
    }))

  it('may be any where the names are not known', () =>
    compiles(() => {
      middy()
        .use(signedServices({ services: anyNames }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<Any>()
          // @ts-expect-error: perhaps not there
          services.ai.get('jobs')
        })
      middy()
        .use(signedServices({ services: anyObject }))
        .handler(async (_, { services }) => expectTypeOf(services).toEqualTypeOf<Any>())
    }))

  it('are those of an object, whatever it holds', () =>
    compiles(() => {
      const handle = async (_: unknown, { services }: { readonly services: Two }) => {
        // @ts-expect-error: not named
        services.admin
      }
      middy()
        .use(signedServices({ services: urls }))
        .handler(async (event, context) => {
          expectTypeOf(context.services).toEqualTypeOf<Two>()
          return handle(event, context)
        })
      middy()
        .use(signedServices({ services: options }))
        .handler(async (_, { services }) => expectTypeOf(services).toEqualTypeOf<Two>())
      middy()
        .use(signedServices({ services: mixed }))
        .handler(async (_, { services }) => expectTypeOf(services).toEqualTypeOf<Two>())
      middy()
        .use(signedServices({ services: { ai: URL, userProfile: { internal: 'profileUrl' } } }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<Two>()
          // @ts-expect-error: not named
          services.admin
        })
    }))

  it('are checked where they are written', () =>
    compiles(() => {
      // @ts-expect-error: no such option
      signedServices({ services: { ai: { timout: 5_000 } } })
      // @ts-expect-error: not a name
      signedServices({ services: ['ai', 7] })
      // @ts-expect-error: neither a list nor an object
      signedServices({ services: 'ai' })
    }))

  it('are those of two middlewares in one chain', () =>
    compiles(() => {
      middy()
        .use(signedServices({ services: ['ai'] }))
        .use(signedServices({ services: { userProfile: URL } }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toExtend<Two>()
          expectTypeOf<keyof typeof services>().toEqualTypeOf<keyof Two>()
          // @ts-expect-error: named by neither
          services.admin
        })
    }))
})

describe('ServicesContext', () => {
  it('takes names, a list or an object', () =>
    compiles(() => {
      expectTypeOf<ServicesContext['services']>().toEqualTypeOf<Four>()
      expectTypeOf<ServicesContext<'ai' | 'userProfile'>['services']>().toEqualTypeOf<Two>()
      expectTypeOf<ServicesContext<['ai', 'userProfile']>['services']>().toEqualTypeOf<Two>()
      expectTypeOf<ServicesContext<typeof names>['services']>().toEqualTypeOf<Two>()
      expectTypeOf<ServicesContext<typeof mixed>['services']>().toEqualTypeOf<Two>()
      expectTypeOf<ServicesContext<{ ai: unknown; userProfile: unknown }>['services']>().toEqualTypeOf<Two>()
      expectTypeOf<ServicesContext<string[]>['services']>().toEqualTypeOf<Any>()
      // @ts-expect-error: not named
      type Unnamed = ServicesContext<'ai'>['services']['admin']
      expectTypeOf<Unnamed>().toBeAny()
    }))

  it('fits the chain of a handler that is declared apart', () =>
    compiles(() => {
      const apart = async (_: unknown, { services }: ServicesContext<'ai' | 'userProfile'>) => services.ai.name
      middy()
        .use(signedServices({ services: ['ai', 'userProfile', 'admin'] }))
        .handler(apart)
      middy()
        .use(signedServices({ services: mixed }))
        .handler(apart)
      middy()
        .use(signedServices({ services: ['ai'] }))
        .use(signedServices({ services: ['userProfile'] }))
        .handler(apart)
      middy()
        .use(signedServices({ services: ['ai'] }))
        // @ts-expect-error: one of its services is missing
        .handler(apart)
    }))
})

describe('createServices', () => {
  it('gives the services of each form of the option', () =>
    compiles(() => {
      expectTypeOf(createServices()).toEqualTypeOf<Four>()
      expectTypeOf(createServices({})).toEqualTypeOf<Four>()
      expectTypeOf(createServices({ services: ['ai', 'userProfile'] })).toEqualTypeOf<Two>()
      expectTypeOf(createServices({ services: names })).toEqualTypeOf<Two>()
      expectTypeOf(createServices({ services: urls })).toEqualTypeOf<Two>()
      expectTypeOf(createServices({ services: options })).toEqualTypeOf<Two>()
      expectTypeOf(createServices({ services: mixed })).toEqualTypeOf<Two>()
      expectTypeOf(createServices({ services: anyNames })).toEqualTypeOf<Any>()
      expectTypeOf(createServices({ services: anyObject })).toEqualTypeOf<Any>()
      expectTypeOf(createServices({ services: anyOption })).toExtend<Any>()
      expectTypeOf(createServices({ services: mixed })).toEqualTypeOf<Services<'ai' | 'userProfile'>>()
      // @ts-expect-error: not named
      createServices().userProfile
      // @ts-expect-error: not named
      createServices({ services: ['ai'] }).admin
      // @ts-expect-error: not named
      createServices({ services: names }).admin
      // @ts-expect-error: not named
      createServices({ services: mixed }).admin
    }))
})

describe('mockServices', () => {
  it('gives one mock a service', () => {
    const mocks = mockServices({ ai: { 'GET /jobs/:id': ({ params }) => params.id }, userProfile: {} })
    expectTypeOf(mocks).toEqualTypeOf<{ readonly ai: MockClient; readonly userProfile: MockClient }>()
    expectTypeOf(mocks).toEqualTypeOf<MockServices<'ai' | 'userProfile'>>()
    expectTypeOf(mocks).toEqualTypeOf<MockServices<typeof names>>()
    expectTypeOf(mocks).toExtend<Services<'ai'>>()
    // @ts-expect-error: not mocked
    expect(mocks.admin).toBeUndefined()
  })

  it('stands in for the services of a context', () =>
    compiles(() => {
      const handler = async (_: unknown, { services }: Pick<ServicesContext<'ai'>, 'services'>) => services.ai.name
      const mocks: MockServices<'ai'> = mockServices({ ai: {} })
      handler({}, { services: mocks })
      // @ts-expect-error: not one of its services
      handler({}, { services: mockServices({ admin: {} }) })
      // @ts-expect-error: not named
      mocks.admin
    }))

  it('knows the params of a route, and what is no route', () =>
    compiles(() => {
      mockServices({ ai: { 'GET /jobs/:id/parts/:part': ({ params: { id, part } }) => `${id}/${part}` } })
      // @ts-expect-error: no such param
      mockServices({ ai: { 'GET /jobs/:id': ({ params }) => params.part } })
      // @ts-expect-error: no method
      mockServices({ ai: { '/jobs': {} } })
    }))
})

describe('the code of an error', () => {
  it('is a literal of its class', () => {
    expectTypeOf<ServiceAuthError['code']>().toEqualTypeOf<'ERR_SERVICE_AUTH'>()
    expectTypeOf<ServiceThrottledError['code']>().toEqualTypeOf<'ERR_SERVICE_THROTTLED'>()
    expectTypeOf<ServiceTimeoutError['code']>().toEqualTypeOf<'ERR_SERVICE_TIMEOUT'>()
    expectTypeOf<ServiceNetworkError['code']>().toEqualTypeOf<'ERR_SERVICE_NETWORK'>()
    expectTypeOf<CircuitOpenError['code']>().toEqualTypeOf<'ERR_SERVICE_CIRCUIT_OPEN'>()
    expectTypeOf<ServiceRequestError['code']>().toEqualTypeOf<'ERR_SERVICE_REQUEST'>()
    expectTypeOf<ServicesConfigurationError['code']>().toEqualTypeOf<'ERR_SERVICES_CONFIG'>()
    // Both above are such errors.
    expectTypeOf<ServiceResponseError['code']>().toEqualTypeOf<
      'ERR_SERVICE_RESPONSE' | 'ERR_SERVICE_AUTH' | 'ERR_SERVICE_THROTTLED'
    >()
    expectTypeOf<ServiceError['code']>().toEqualTypeOf<ServiceErrorCode>()
  })

  it('narrows what may have failed', () => {
    const read = (error: ServiceTimeoutError | ServiceNetworkError | CircuitOpenError | ServiceAuthError) => {
      switch (error.code) {
        case 'ERR_SERVICE_TIMEOUT':
          return expectTypeOf(error).toEqualTypeOf<ServiceTimeoutError>()
        case 'ERR_SERVICE_NETWORK':
          return expectTypeOf(error.networkCode).toBeString()
        case 'ERR_SERVICE_CIRCUIT_OPEN':
          return expectTypeOf(error.retryAfterMs).toBeNumber()
        default:
          return expectTypeOf(error).toEqualTypeOf<ServiceAuthError>()
      }
    }
    expect(read).toBeTypeOf('function')
  })

  it('can be distinguished completely, and only by codes that exist', () => {
    const read = ({ code }: ServiceError): number => {
      switch (code) {
        case 'ERR_SERVICE_RESPONSE':
        case 'ERR_SERVICE_AUTH':
        case 'ERR_SERVICE_THROTTLED':
          return 1
        case 'ERR_SERVICE_TIMEOUT':
        case 'ERR_SERVICE_NETWORK':
        case 'ERR_SERVICE_CIRCUIT_OPEN':
          return 2
        case 'ERR_SERVICE_REQUEST':
          return 3
        // @ts-expect-error: no such code
        case 'ERR_SERVICE_TIMEOUTS':
          return 4
        default:
          return code satisfies never
      }
    }
    expect(read).toBeTypeOf('function')
  })
})

it("takes a provider of the AWS SDK's type", () => {
  // As `RuntimeConfigAwsCredentialIdentityProvider` of @aws-sdk/types, which `fromTemporaryCredentials()` returns.
  type SdkProvider = (properties?: { callerClientConfig?: { region?: string } }) => Promise<{
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }>
  expectTypeOf<SdkProvider>().toExtend<AwsCredentialProvider>()
})
