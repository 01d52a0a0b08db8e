/**
 * The stack of `stack.ts`, for the account and the region that the AWS CLI is configured for.
 *
 *   npm ci                        at the root of the repository
 *   cd examples/cdk
 *   npx aws-cdk deploy
 *   npx aws-cdk destroy
 */
import { App } from 'aws-cdk-lib'
import { SignedServicesStack } from './stack.ts'

const app = new App()
new SignedServicesStack(app, 'SignedServices')
app.synth()
