/** Request, credentials and environment variables of all contenders. */
import { join } from 'node:path'

export const region = 'us-east-1'
export const service = 'execute-api'

/** Invalid credentials, with a session token as long as Lambda's. */
export const credentials = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'x'.repeat(400),
} as const

export type Body = NonNullable<RequestInit['body']>

/** 256 bytes as JSON. */
export const payload = {
  userId: 'u-1',
  topic: 'Signature Version 4',
  platforms: ['facebook', 'linkedin'],
  text: 'x'.repeat(164),
} as const

/** Key and certificate of the HTTPS server. */
export const certificate = join(import.meta.dirname, 'localhost.pem')

const trace = 'Root=1-67f1a2b3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1'

/** The environment variables that Lambda sets, and the base URL of the service. */
export const environment = (url: string): NodeJS.ProcessEnv => ({
  ...process.env,
  AI_SERVICE_API_URL: url,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_SESSION_TOKEN: credentials.sessionToken,
  _X_AMZN_TRACE_ID: trace,
  ...(url.startsWith('https:') && { NODE_EXTRA_CA_CERTS: certificate }),
})

/** The members of Lambda's context that the middleware reads. */
export const context = () => ({
  awsRequestId: 'bench',
  xRayTraceId: trace,
  getRemainingTimeInMillis: () => 30_000,
})

/** Imports a module of the built package that the package does not export. */
export const loadBuilt = (name: string) => import(new URL(`../dist/${name}.js`, import.meta.url).href)
