import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { DEFAULT_RETRIES, defaults, MAX_TIMER_MS } from '../config/index.ts'
import { nearestName } from '../errors/index.ts'
import { UsageError } from './usage-error.ts'

/** Options for the target of requests and for signing. */
export interface TargetOptions {
  readonly region: string | undefined
  readonly signingName: string | undefined
  readonly host: string | undefined
  readonly profile: string | undefined
  readonly envFile: string | undefined
  /** Milliseconds. False: no timeout. */
  readonly timeout: number | false
  readonly allowHttp: boolean
}

export interface CallCommand extends TargetOptions {
  readonly kind: 'call'
  /** Name of a service, or a URL. */
  readonly target: string
  readonly method: string
  /** Path below the service's URL. Empty for the URL itself. */
  readonly path: string
  /** Text, `@file` or `-`. */
  readonly data: string | undefined
  readonly headers: Headers
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly retry: number
  readonly include: boolean
  readonly verbose: boolean
  readonly output: string | undefined
}

export interface DoctorCommand extends TargetOptions {
  readonly kind: 'doctor'
  /** Names of services, or URLs. Empty: all services with an environment variable. */
  readonly targets: readonly string[]
  readonly path: string
  readonly whoami: boolean
  readonly json: boolean
}

export type Command =
  | CallCommand
  | DoctorCommand
  | { readonly kind: 'help'; readonly topic: 'general' | 'call' | 'doctor' }
  | { readonly kind: 'version' }

const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']

const common = {
  help: { type: 'boolean', short: 'h' },
  region: { type: 'string' },
  'signing-name': { type: 'string' },
  host: { type: 'string' },
  profile: { type: 'string' },
  'env-file': { type: 'string' },
  timeout: { type: 'string' },
  'allow-http': { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig

const callOptions = {
  ...common,
  data: { type: 'string', short: 'd' },
  header: { type: 'string', short: 'H', multiple: true },
  query: { type: 'string', short: 'q', multiple: true },
  retry: { type: 'string' },
  include: { type: 'boolean', short: 'i' },
  verbose: { type: 'boolean', short: 'v' },
  output: { type: 'string', short: 'o' },
} as const satisfies ParseArgsOptionsConfig

const doctorOptions = {
  ...common,
  path: { type: 'string' },
  whoami: { type: 'boolean' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig

/**
 * Parses a command line.
 * @throws UsageError for an invalid command line
 */
export function readArguments(args: readonly string[]): Command {
  const [name, ...rest] = args
  switch (name) {
    case 'call':
      return readCall(rest)
    case 'doctor':
      return readDoctor(rest)
    case '-h':
    case '--help':
      return { kind: 'help', topic: 'general' }
    case '--version':
      return { kind: 'version' }
    case undefined:
      throw new UsageError('a command is missing: call or doctor')
    default:
      throw new UsageError(
        `no such ${name.startsWith('-') ? 'option' : 'command'}: ${name}${didYouMean(name, ['call', 'doctor', '--help', '--version'])}`,
      )
  }
}

function readCall(args: readonly string[]): Command {
  const { values, positionals } = parse(args, callOptions)
  if (values.help) return { kind: 'help', topic: 'call' }
  const [target, ...others] = positionals
  if (target === undefined) throw new UsageError('call: the name of a service or a URL is missing')
  const { method, path } = readMethodAndPath(others, values.data === undefined ? 'GET' : 'POST')
  if (values.data !== undefined && /^(GET|HEAD)$/.test(method)) throw new UsageError(`-d: ${method} takes no body`)
  return {
    kind: 'call',
    target,
    method,
    path,
    data: values.data,
    headers: readHeaders(values.header ?? []),
    query: (values.query ?? []).map(readPair),
    retry: readNumber('--retry', values.retry ?? String(DEFAULT_RETRIES), 100),
    include: values.include ?? false,
    verbose: values.verbose ?? false,
    output: values.output,
    ...readTargetOptions(values, String(defaults.timeout)),
  }
}

function readDoctor(args: readonly string[]): Command {
  const { values, positionals } = parse(args, doctorOptions)
  if (values.help) return { kind: 'help', topic: 'doctor' }
  return {
    kind: 'doctor',
    targets: positionals,
    path: values.path ?? '/health',
    whoami: values.whoami ?? false,
    json: values.json ?? false,
    ...readTargetOptions(values, '10000'),
  }
}

type CommonValues = { readonly [Name in Exclude<keyof typeof common, 'help' | 'allow-http'>]?: string } & {
  readonly 'allow-http'?: boolean
}

function readTargetOptions(values: CommonValues, defaultTimeout: string): TargetOptions {
  return {
    region: values.region,
    signingName: values['signing-name'],
    host: values.host,
    profile: values.profile,
    envFile: values['env-file'],
    timeout: readNumber('--timeout', values.timeout ?? defaultTimeout, MAX_TIMER_MS) || false,
    allowHttp: values['allow-http'] ?? false,
  }
}

/** Parses options. `strict` is false at first, because the messages of `parseArgs` suggest no similar option. */
function parse<O extends ParseArgsOptionsConfig>(args: readonly string[], options: O) {
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) {
      const names = Object.keys(options).map((known) => `--${known}`)
      throw new UsageError(`no such option: ${rawName}${didYouMean(rawName, names)}`)
    }
    if (option.type === 'boolean' && value !== undefined) throw new UsageError(`${rawName} takes no value`)
    // `-` means standard input. A value that looks like an option is probably one.
    if (option.type === 'string' && (value === undefined || (!inlineValue && /^-./s.test(value)))) {
      throw new UsageError(`${rawName} needs a value`)
    }
  }
  return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
}

function readMethodAndPath(
  given: readonly string[],
  defaultMethod: string,
): { readonly method: string; readonly path: string } {
  const [first = '', second, ...more] = given
  if (more.length > 0) throw new UsageError(`call: too many arguments; got '${more[0]}' after the path`)
  const method = first.toUpperCase()
  if (METHODS.includes(method)) return { method, path: second ?? '' }
  if (second === undefined) return { method: defaultMethod, path: first }
  throw new UsageError(`no such method: ${first}${didYouMean(first, METHODS)}`)
}

/** Parses headers. Messages do not quote values, which may be secrets. */
function readHeaders(lines: readonly string[]): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const [, name, value = ''] = /^([^:\s]+):\s*(.*)/s.exec(line) ?? []
    if (name === undefined) throw new UsageError("-H: must be 'name: value'")
    try {
      headers.append(name, value)
    } catch {
      throw new UsageError('-H: not a valid header')
    }
  }
  return headers
}

function readPair(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageError('-q: must be name=value')
  return [text.slice(0, equals), text.slice(equals + 1)]
}

function readNumber(option: string, text: string, max: number): number {
  if (!/^\d+$/.test(text) || Number(text) > max) {
    throw new UsageError(`${option}: must be a whole number from 0 to ${max}; got '${text}'`)
  }
  return Number(text)
}

function didYouMean(given: string, names: readonly string[]): string {
  const nearest = nearestName(given, names)
  return nearest === undefined ? '' : `; did you mean ${nearest}?`
}
