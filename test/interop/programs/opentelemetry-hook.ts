/** Preloaded, as OpenTelemetry requires for ES modules: lets instrumentations change modules that are imported later. */
import { register } from 'node:module'

register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
