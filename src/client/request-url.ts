import { type BaseUrl, isAbsolute, joinToBase, outsideBase } from '../config/base-url.ts'
import type { ServiceConfig } from '../config/resolve-config.ts'
import { ServiceRequestError, ServicesConfigurationError } from '../errors/service-errors.ts'
import type { Call } from './service-call.ts'

/** Where a call goes, checked before anything is read or signed. */
export function resolveTarget(
  { base, missing }: ServiceConfig,
  call: Call,
  input: unknown,
  allow: { absolute?: boolean } = {},
): { base: BaseUrl; target: URL | Request } {
  const refuse = (problem: string) => new ServiceRequestError(call, problem)
  const isPath = typeof input === 'string' && !isAbsolute(input)
  if (isPath) call.path = `/${input.replace(/^\/+|[?#].*/gs, '')}`
  if (base === undefined) {
    throw new ServiceRequestError(call, missing, { cause: new ServicesConfigurationError([missing]) })
  }
  let url: URL
  if (isPath) {
    url = joinToBase(base, input)
  } else if (typeof input === 'string') {
    if (!allow.absolute) throw refuse(`an absolute URL is not a path below ${base.href}`)
    if (!URL.canParse(input)) throw refuse('the input is not a URL')
    url = new URL(input)
  } else if (input instanceof URL || input instanceof Request) {
    url = new URL(input instanceof URL ? input : input.url)
  } else {
    throw refuse('the input must be a path, a URL or a Request')
  }
  const outside = outsideBase(base, url)
  if (outside !== undefined) throw refuse(outside)
  call.pathname = url.pathname
  call.path = url.pathname.slice(base.path.length) || '/'
  const target = input instanceof Request ? input : url
  call.target = target
  return { base, target }
}
