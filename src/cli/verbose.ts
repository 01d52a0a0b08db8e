import type { ServiceConfig } from '../config/index.ts'
import { createStringToSign } from '../signing/index.ts'
import type { SentRequest } from './signed-call.ts'

/** Describes an attempt for `-v`, without secrets. The token is redacted, and neither text contains the signature. */
export function describeAttempt(
  { method, url, canonicalRequest, tried, response, durationMs }: SentRequest,
  number: number,
  { region, signingName, host }: ServiceConfig,
  connections: readonly string[],
): string {
  const outcome = response === undefined ? 'no response' : `${response.status} ${response.statusText}`.trim()
  const lines = [
    `* attempt ${number}: ${method} ${url}`,
    `* signed for ${signingName} in ${region}${host === undefined ? '' : `, host ${host}`}`,
    ...(canonicalRequest === undefined ? [] : describeSignature(canonicalRequest, region, signingName)),
    ...(connections.length === 0 && response !== undefined ? ['reused connection'] : connections).map(
      (line) => `* ${line}`,
    ),
    ...tried.map((remedy) => `* rejected, then signed again with: ${remedy}`),
    `* ${outcome}, ${durationMs.toFixed(1)} ms`,
  ]
  return lines.join('\n')
}

function describeSignature(canonicalRequest: string, region: string, signingName: string): readonly string[] {
  const amzDate = /^x-amz-date:(.*)$/m.exec(canonicalRequest)?.[1] as string
  const scope = `${amzDate.slice(0, 8)}/${region}/${signingName}/aws4_request`
  return [
    '* canonical request:',
    ...indent(canonicalRequest.replace(/^(x-amz-security-token:).*/m, '$1[redacted]')),
    '* string to sign:',
    ...indent(createStringToSign(amzDate, scope, canonicalRequest)),
  ]
}

function indent(text: string): readonly string[] {
  return text.split('\n').map((line) => `  ${line}`.trimEnd())
}

/** Status line and headers of a response. */
export function describeHead({ status, statusText, headers }: Response): string {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${statusText}`.trimEnd(), ...lines, ''].join('\n')
}
