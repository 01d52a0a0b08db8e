import {
  type Check,
  describe,
  isFunction,
  isObject,
  listOf,
  members,
  must,
  orObject,
  withoutControls,
} from '../errors/index.ts'
import { CONNECTION_HEADERS, isIdentity, isSigned, regionCheck, signingNameCheck } from '../signing/index.ts'
import { MAX_TIMER_MS, type ServiceOptions, type SignedServicesOptions } from './options.ts'

/**
 * Checks the options of `signedServices`. Returns one line for each mistake, which starts with the option's path.
 * @param factory Name of the function that takes the options, for the messages.
 */
export function checkOptions(options: unknown, factory: string): string[] {
  const problems: string[] = []
  members(factory, topLevel)(options, '', problems)
  return problems
}

/** Options that determine the URL and the signing scope of a service. */
const LOCATION = ['url', 'env', 'internal', 'region', 'signingName', 'host', 'allowHttp']

/**
 * Removes mistaken options, and services with a mistaken location, so that the rest can be checked against the
 * environment variables.
 */
export function withoutMistakes(options: SignedServicesOptions, mistakes: readonly string[]): SignedServicesOptions {
  const isMistaken = (path: string) =>
    mistakes.some((mistake) => [': ', '.', '['].some((end) => mistake.startsWith(path + end)))
  const keep = <T extends object>(value: T, path: string): T =>
    Object.fromEntries(Object.entries(value).filter(([name]) => !isMistaken(path + name))) as T
  if (!isObject(options)) return { services: [] }
  const { services, ...common } = options
  const kept = keep(common, '')
  if (services === undefined) return kept
  if (Array.isArray(services)) {
    return { ...kept, services: services.filter((_, index) => !isMistaken(`services[${index}]`)) }
  }
  if (!isObject(services)) return { ...kept, services: [] }
  const located = Object.entries(services as Readonly<Record<string, string | ServiceOptions>>).filter(
    ([name]) =>
      !mistakes.some((mistake) => mistake.startsWith(`services.${name}: `)) &&
      !LOCATION.some((member) => isMistaken(`services.${name}.${member}`)),
  )
  const entries = located.map(([name, one]) => [name, typeof one === 'string' ? one : keep(one, `services.${name}.`)])
  return { ...kept, services: Object.fromEntries(entries) }
}

const isString = (value: unknown): value is string => typeof value === 'string'
const isText = (value: unknown) => isString(value) && value.trim() !== ''
const isPositive = (value: unknown): value is number => typeof value === 'number' && value > 0
const isDuration = (value: unknown) => value === 0 || isPositive(value)
const isInteger = (value: unknown) => isDuration(value) && Number.isSafeInteger(value)
const isCount = (value: unknown) => isPositive(value) && isInteger(value)
const isTimer = (value: unknown) => isPositive(value) && value <= MAX_TIMER_MS
const isBoolean = (value: unknown) => typeof value === 'boolean'

const text = must('a string that is not empty', isText)
const boolean = must('true or false', isBoolean)
const aFunction = must('a function', isFunction)
const count = must('a whole number of at least 1', isCount)
const duration = must('a number of milliseconds', isDuration)
const statuses = listOf('statuses', isInteger)
const milliseconds = must(`milliseconds from 0 to ${MAX_TIMER_MS}`, (value) => value === 0 || isTimer(value))
const timeout = must('a positive number of milliseconds, or false', (value) => value === false || isTimer(value))
const identity = must(
  'credentials with accessKeyId and secretAccessKey, a provider function, or the name of a Middy internal value',
  (value) => isIdentity(value) || isFunction(value) || isText(value),
)

const headers: Check = (value, path, problems) => {
  if (!isObject(value)) {
    problems.push(`${path}: must be an object of header values; got ${describe(value)}`)
    return
  }
  for (const [name, header] of Object.entries(value)) {
    const at = `${path}.${name}`
    const setBySigning = /^(authorization|host)$/i.test(name)
    if (setBySigning || CONNECTION_HEADERS.has(name.toLowerCase()))
      problems.push(`${at}: must not be set: ${setBySigning ? 'signing sets it' : 'it controls the connection'}`)
    else if (typeof header !== 'string') problems.push(`${at}: must be a string; got ${describe(header)}`)
    else if (!isHeader(name, header)) problems.push(`${at}: is not a valid header`)
  }
}

const retry = orObject(
  'a whole number of retries, or an object',
  isInteger,
  members('retry', {
    limit: must('a whole number of at least 0', isInteger),
    methods: listOf('methods', isText),
    statusCodes: statuses,
    afterStatusCodes: statuses,
    maxRetryAfter: duration,
    backoffLimit: duration,
    delay: aFunction,
    jitter: must('true, false or a function', (value) => isBoolean(value) || isFunction(value)),
    retryOnTimeout: boolean,
    shouldRetry: aFunction,
  }),
)

const circuitBreaker = orObject(
  'true, false, or an object',
  isBoolean,
  members('circuitBreaker', {
    failureThreshold: count,
    resetTimeout: must('a positive number of milliseconds', isPositive),
  }),
)

const common: Readonly<Record<string, Check>> = {
  region: regionCheck,
  credentials: identity,
  timeout,
  idleTimeout: must('a positive number of milliseconds', isTimer),
  retry,
  circuitBreaker,
  maxResponseSize: must('a positive number of bytes, or false', (value) => value === false || isCount(value)),
  maxConnections: count,
  allowHttp: boolean,
  headers,
}

const service = orObject(
  'a URL, or an object',
  isString,
  members('a service', {
    ...common,
    url: must('a string', isString),
    env: text,
    internal: text,
    optional: boolean,
    signingName: signingNameCheck,
    host: must('a host name, with or without a port', (value) => isString(value) && isHost(value)),
  }),
)

const services: Check = (value, path, problems) => {
  if (Array.isArray(value)) {
    for (const [index, name] of value.entries()) checkName(name, `${path}[${index}]`, problems)
    return
  }
  if (!isObject(value)) {
    problems.push(`${path}: must be a list of names, or an object from name to URL or options; got ${describe(value)}`)
    return
  }
  for (const [name, one] of Object.entries(value)) {
    checkName(name, `${path}.${name}`, problems)
    service(one, `${path}.${name}`, problems)
  }
}

const topLevel: Readonly<Record<string, Check>> = {
  services,
  ...common,
  deadlineMargin: milliseconds,
  pendingCalls: must(
    "milliseconds, 'await' or 'ignore'",
    (value) => value === 'await' || value === 'ignore' || value === 0 || isTimer(value),
  ),
  logger: (value, path, problems) => {
    const missing = ['info', 'warn', 'error'].filter((name) => !isFunction(Reflect.get(Object(value), name)))
    if (missing.length > 0)
      problems.push(`${path}: must have the function${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`)
  },
  onCall: aFunction,
  trace: boolean,
  fetch: aFunction,
}

function checkName(name: unknown, path: string, problems: string[]): void {
  if (typeof name !== 'string' || !/^[a-z]/i.test(name)) {
    problems.push(`${path}: a service's name must start with a letter; got ${describe(name)}`)
  } else if (withoutControls(name) !== name) {
    problems.push(`${path}: a service's name must not contain line breaks or other control characters`)
  }
}

function isHeader(name: string, value: string): boolean {
  // Node.js can send these values. A signed value must be printable ASCII.
  if (!(isSigned(name.toLowerCase()) ? /^[\x20-\x7e]*$/ : /^[\t\x20-\x7e\x80-\xff]*$/).test(value)) return false
  try {
    new Headers([[name, value]])
    return true
  } catch {
    return false
  }
}

function isHost(value: string): boolean {
  return URL.canParse(`https://${value}`) && new URL(`https://${value}`).host === value.toLowerCase()
}
