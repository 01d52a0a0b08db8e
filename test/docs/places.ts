/** A region of each partition of AWS, and the domain of its hosts. */
export const PLACES = [
  { partition: 'aws', region: 'eu-central-1', domain: 'amazonaws.com' },
  { partition: 'aws-cn', region: 'cn-north-1', domain: 'amazonaws.com.cn' },
  { partition: 'aws-us-gov', region: 'us-gov-west-1', domain: 'amazonaws.com' },
  { partition: 'aws-eusc', region: 'eusc-de-east-1', domain: 'amazonaws.eu' },
]

export type Place = (typeof PLACES)[number]

export const ACCOUNT = '123456789012'

/** What is written down in a template although it depends on account or region, and keys. */
export const HARD_CODED = /\b\d{12}\b|arn:aws|amazonaws|A[KS]IA[A-Z\d]{16}|\b[a-z]{2,4}(-[a-z]+){1,2}-\d\b/g
