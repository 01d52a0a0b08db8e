/** What all contenders send, and as whom. */
export const region = 'us-east-1'
export const service = 'execute-api'

/** Credentials of nobody, with a session token as long as Lambda's. */
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

const trace = 'Root=1-67f1a2b3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1'

/** The variables that Lambda gives a function, with the base URL of its service. */
export const environment = (url: string): NodeJS.ProcessEnv => ({
  ...process.env,
  AI_SERVICE_API_URL: url,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_SESSION_TOKEN: credentials.sessionToken,
  _X_AMZN_TRACE_ID: trace,
})

/** What the middleware looks for on the context that Lambda's runtime makes. */
export const context = () => ({
  awsRequestId: 'bench',
  xRayTraceId: trace,
  getRemainingTimeInMillis: () => 30_000,
})

/** A module of the built package that it does not export, with the types of its source. */
export const loadBuilt = (name: string) => import(new URL(`../dist/${name}.js`, import.meta.url).href)
