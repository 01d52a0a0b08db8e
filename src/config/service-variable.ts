/**
 * Environment variable with a service's URL: `AI_SERVICE_API_URL` for `ai`, `USER_PROFILE_SERVICE_API_URL` for
 * `userProfile`.
 */
export function toVariable(name: string): string {
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1_$2').replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
  return `${words.replace(/[^a-z\d]+/gi, '_').toUpperCase()}_SERVICE_API_URL`
}
