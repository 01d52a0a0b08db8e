import type { RequestListener } from 'node:http'
import https from 'node:https'
import { onTestFinished, vi } from 'vitest'

/** Host name of the certificate, which is also valid for 127.0.0.1. */
export const TLS_HOST = 'abc123.execute-api.eu-central-1.amazonaws.com'

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIICCTCCAa+gAwIBAgIUXjxufvr4uHsGPjNQcYUWmeHWzfswCgYIKoZIzj0EAwIw
ODE2MDQGA1UEAwwtYWJjMTIzLmV4ZWN1dGUtYXBpLmV1LWNlbnRyYWwtMS5hbWF6
b25hd3MuY29tMCAXDTI2MTEyNjAyNDAzMVoYDzIxMTkxMjI5MDI0MDMxWjA4MTYw
NAYDVQQDDC1hYmMxMjMuZXhlY3V0ZS1hcGkuZXUtY2VudHJhbC0xLmFtYXpvbmF3
cy5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARndx1zZTcPjydp4c3tF3Wy
7AfDd/bIJdnFX8QDg2Kzk6AogD8SvovGI2zY3t7VUwqRYjeCQkRngKVrLxjBORfq
o4GUMIGRMB0GA1UdDgQWBBRWkBhC/VL+pWhpEl7sW+gCeNGaZDAfBgNVHSMEGDAW
gBRWkBhC/VL+pWhpEl7sW+gCeNGaZDAPBgNVHRMBAf8EBTADAQH/MD4GA1UdEQQ3
MDWCLWFiYzEyMy5leGVjdXRlLWFwaS5ldS1jZW50cmFsLTEuYW1hem9uYXdzLmNv
bYcEfwAAATAKBggqhkjOPQQDAgNIADBFAiBGw2R7qPxeOJzUZCjA3oMcm9iTuF0r
sZX3MBjyvvGGvwIhANcPs4LkNZ8S0Lp+stER5ZpJ2AmIgCdCjign4kv+ygEa
-----END CERTIFICATE-----
`

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPm+JmEDd+6dTzzFi
5WawlyzUW5NQZU0XgbgO1l1YOb+hRANCAARndx1zZTcPjydp4c3tF3Wy7AfDd/bI
JdnFX8QDg2Kzk6AogD8SvovGI2zY3t7VUwqRYjeCQkRngKVrLxjBORfq
-----END PRIVATE KEY-----
`

/** Creates a server with this certificate. */
export function createTlsServer(listener: RequestListener): https.Server {
  return https.createServer({ cert: CERTIFICATE, key: KEY }, listener)
}

/** Lets requests trust this certificate until the end of the test. */
export function trustCertificate(): void {
  const { request } = https
  const trusting = (options: https.RequestOptions) => request({ ...options, ca: CERTIFICATE })
  const spy = vi.spyOn(https, 'request').mockImplementation(trusting as typeof request)
  onTestFinished(() => spy.mockRestore())
}
