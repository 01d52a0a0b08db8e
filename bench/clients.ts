/** One JSON POST by each client, written as in its documentation. Only the chosen client is loaded. */
import { type Body, context, credentials, payload, region, service } from './fixture.ts'

type Call = (body?: Body) => Promise<unknown>

const { accessKeyId, secretAccessKey, sessionToken } = credentials
const headers = { 'content-type': 'application/json' }
const base = process.env.AI_SERVICE_API_URL as string
const url = `${base}/jobs`
const post = (body: Body = JSON.stringify(payload)) => ({ method: 'POST', headers, body })

export const clients = {
  'fetch, unsigned': async () => async (body) => (await fetch(url, post(body))).json(),

  'ky, unsigned': async () => {
    const { default: ky } = await import('ky')
    return (body) => ky.post(url, body === undefined ? { json: payload } : { headers, body }).json()
  },

  client: async () => {
    const { createServices } = await import('middy-signed-services')
    const { ai } = createServices({ services: ['ai'] })
    return (body) => ai.post('jobs', body === undefined ? { json: payload } : { headers, body }).json()
  },

  'client.fetch': async () => {
    const { createServices } = await import('middy-signed-services')
    const { ai } = createServices({ services: ['ai'] })
    return async (body) => (await ai.fetch('jobs', post(body))).json()
  },

  createSignedFetch: async () => {
    const { createSignedFetch } = await import('middy-signed-services')
    const signedFetch = createSignedFetch({ region, service })
    return async (body) => (await signedFetch(url, post(body))).json()
  },

  'Middy handler, client': async () => {
    const { default: middy } = await import('@middy/core')
    const { default: signedServices } = await import('middy-signed-services')
    const handler = middy()
      .use(signedServices({ services: ['ai'] }))
      .handler(async (_, { services: { ai } }) => ai.post('jobs', { json: payload }).json())
    return () => handler({}, context() as never)
  },

  aws4fetch: async () => {
    const { AwsClient } = await import('aws4fetch')
    const aws = new AwsClient({ ...credentials, region, service })
    return async (body) => (await aws.fetch(url, post(body))).json()
  },

  'aws-sigv4-fetch': async () => {
    const { createSignedFetcher } = await import('aws-sigv4-fetch')
    const signedFetch = createSignedFetcher({
      credentials: { accessKeyId, secretAccessKey, sessionToken },
      region,
      service,
    })
    return async (body) => (await signedFetch(url, post(body))).json()
  },

  'aws4-axios': async () => {
    const { default: axios } = await import('axios')
    const { aws4Interceptor } = await import('aws4-axios')
    const client = axios.create()
    client.interceptors.request.use(aws4Interceptor({ options: { region, service }, credentials }))
    return async () => (await client.post(url, payload)).data
  },

  'aws4 + undici.request': async () => {
    const { default: aws4 } = await import('aws4')
    const { request } = await import('undici')
    const { host, pathname } = new URL(url)
    return async () => {
      const { headers: signed } = aws4.sign({ host, path: pathname, service, region, ...post() } as object, credentials)
      const { body } = await request(url, {
        method: 'POST',
        headers: signed as Record<string, string>,
        body: JSON.stringify(payload),
      })
      return body.json()
    }
  },
} satisfies Record<string, () => Promise<Call>>

export type ClientName = keyof typeof clients
