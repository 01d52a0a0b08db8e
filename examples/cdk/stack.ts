import { join } from 'node:path'
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { AuthorizationType, EndpointType, LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway'
import { Architecture, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction, type NodejsFunctionProps, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'

const examples = join(import.meta.dirname, '..')

/** By service: method and path of the route that the caller calls. */
const SERVICES = {
  ai: ['POST', '/generate/blog-post'],
  integration: ['POST', '/publish/blog'],
  background: ['GET', '/analytics/views'],
  admin: ['PUT', '/audit/{jobId}'],
} as const

/** Four services behind REST APIs with IAM authorization, and a function that may call one route of each. */
export class SignedServicesStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props)
    // One group for all functions. Its logs are deleted with the stack.
    const logGroup = new LogGroup(this, 'Logs', {
      retention: RetentionDays.TWO_WEEKS,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const common: NodejsFunctionProps = {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      tracing: Tracing.ACTIVE,
      logGroup,
      environment: { NODE_OPTIONS: '--enable-source-maps' },
      // NodejsFunction leaves `@aws-sdk/*` to the Lambda runtime. This package needs no other setting.
      bundling: { format: OutputFormat.ESM, target: 'node24', minify: true, sourceMap: true },
    }

    const caller = new NodejsFunction(this, 'PublishBlogPost', {
      ...common,
      entry: join(examples, 'publish-blog-post.ts'),
      // For four calls in a row. The clients derive the deadline of their calls from it.
      timeout: Duration.seconds(30),
    })

    for (const [name, [method, path]] of Object.entries(SERVICES)) {
      const service = new NodejsFunction(this, `${name}-service`, {
        ...common,
        entry: join(examples, 'sam', 'services.ts'),
        handler: name,
        timeout: Duration.seconds(5),
      })
      const api = new RestApi(this, `${name}-api`, {
        endpointTypes: [EndpointType.REGIONAL],
        defaultMethodOptions: { authorizationType: AuthorizationType.IAM },
        deployOptions: { tracingEnabled: true },
        // The default would create a role for the logs of all APIs of the account.
        cloudWatchRole: false,
      })
      // API Gateway invokes the function by its own permission, for this route alone.
      const integration = new LambdaIntegration(service, { allowTestInvoke: false })
      const route = api.root.resourceForPath(path).addMethod(method, integration)
      route.grantExecute(caller)
      caller.addEnvironment(`${name.toUpperCase()}_SERVICE_API_URL`, api.url)
    }

    new CfnOutput(this, 'CallerFunction', {
      description: 'Name of the function that calls the services',
      value: caller.functionName,
    })
  }
}
