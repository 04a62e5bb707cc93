// Service-linked roles: a service's own, under its own path, with its own policy. Nobody but the service changes them, and DeleteServiceLinkedRole ends them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
import { type Access, type Context, defineOperations, newRequestId } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { addRole, isLinked, newRole, onRole, removeRole, roleArn, roleRow, shownRole } from "./roles.ts";
import { ownerOf } from "./tables.ts";

/** How long an ended task can be asked about. */
const KEPT_MS = 7 * 86_400_000;

export const serviceLinkedRoles = defineOperations("iam", {
  CreateServiceLinkedRole: {
    access(ctx, { AWSServiceName, CustomSuffix }): Access {
      const service = AWSServiceName!;
      const name = nameOf(LINKED.get(service)?.name ?? service, CustomSuffix);
      return {
        action: "iam:CreateServiceLinkedRole",
        resource: roleArn(ctx.account, pathOf(service), name),
        conditions: { "iam:AWSServiceName": service },
      };
    },
    async handle(ctx, { AWSServiceName, CustomSuffix, Description }) {
      const service = AWSServiceName!;
      const linked = LINKED.get(service);
      if (!linked) throw errors.noSuchTemplate(service);
      if (CustomSuffix !== undefined && !SUFFIXED.has(service))
        throw errors.invalid(`Custom suffix is not allowed for ${service}`);
      const RoleName = nameOf(linked.name, CustomSuffix);
      const trust = { trust: trustOf(service), trust_bound: null };
      const role = newRole(ctx, { RoleName, Path: pathOf(service), Description, trust });
      const shown = await ctx.write(async (tx) => {
        try {
          await addRole(tx, role);
        } catch (error) {
          throw (error as { code?: string }).code === "EntityAlreadyExists" ? taken(RoleName) : error;
        }
        await tx.run("INSERT INTO iam_attached_policy (account, owner, arn) VALUES (:account, :owner, :arn)", {
          account: ctx.account,
          owner: ownerOf("role", RoleName),
          arn: `arn:aws:iam::aws:policy/aws-service-role/${linked.policy}`,
        });
        return await shownRole(tx, role);
      });
      const { MaxSessionDuration: _, ...answer } = shown;
      return { Role: answer };
    },
  },

  // Nothing here uses a service-linked role, so that it is always free to go: the task has ended when it is answered.
  DeleteServiceLinkedRole: {
    access: onRole("DeleteServiceLinkedRole"),
    async handle(ctx, { RoleName }) {
      const id = await ctx.write(async (tx) => {
        const role = await roleRow(tx, ctx.account, RoleName!);
        if (!isLinked(role.path)) throw errors.noSuchRole(RoleName!);
        const held = { account: ctx.account, owner: ownerOf("role", role.name) };
        await tx.run("DELETE FROM iam_attached_policy WHERE account = :account AND owner = :owner", held);
        await removeRole(tx, role);
        await tx.run("DELETE FROM iam_deletion_task WHERE ended_ms < :oldest", { oldest: ctx.now - KEPT_MS });
        const id = `task${role.path}${role.name}/${newRequestId()}`;
        await tx.run("INSERT INTO iam_deletion_task (id, account, ended_ms) VALUES (:id, :account, :ended_ms)", {
          id,
          account: ctx.account,
          ended_ms: ctx.now,
        });
        return id;
      });
      return { DeletionTaskId: id };
    },
  },

  GetServiceLinkedRoleDeletionStatus: {
    access: onTask("GetServiceLinkedRoleDeletionStatus"),
    async handle(ctx, { DeletionTaskId }) {
      const of = { account: ctx.account, id: DeletionTaskId! };
      const sql = "SELECT id FROM iam_deletion_task WHERE account = :account AND id = :id";
      if (!(await ctx.read((tx) => tx.one(sql, of)))) throw errors.noSuchTask(of.id);
      return { Status: "SUCCEEDED" as const };
    },
  },
});

const taken = (name: string) =>
  errors.invalid(`Service role name ${name} has been taken in this account, please try a different suffix.`);

const pathOf = (service: string): string => `/aws-service-role/${service}/`;
const nameOf = (name: string, suffix: string | undefined): string =>
  `AWSServiceRoleFor${name}${suffix === undefined ? "" : `_${suffix}`}`;

const trustOf = (service: string): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" }],
  });

/** `task/aws-service-role/SERVICE/ROLE/uuid` is about that role. */
function onTask(action: string) {
  return ({ account }: Context, { DeletionTaskId }: { DeletionTaskId?: string | undefined }): Access => {
    const [, path, name] = /^task(\/.*\/)([^/]+)\/[^/]+$/.exec(DeletionTaskId!) ?? [];
    return { action: `iam:${action}`, resource: roleArn(account, path, name ?? "*") };
  };
}

interface Linked {
  readonly name: string;
  readonly policy: string;
}

/** Those that are one per account, unless a suffix tells them apart. */
const SUFFIXED = new Set(["autoscaling.amazonaws.com", "connect.amazonaws.com", "lexv2.amazonaws.com"]);

/** Service (without .amazonaws.com), what follows AWSServiceRoleFor in its role's name, its policy. As AWS makes them. */
const ROLES: readonly (readonly [service: string, name: string, policy: string])[] = [
  ["access-analyzer", "AccessAnalyzer", "AccessAnalyzerServiceRolePolicy"],
  ["accountdiscovery.ssm", "AmazonSSM_AccountDiscovery", "AWSSystemsManagerAccountDiscoveryServicePolicy"],
  ["acm", "CertificateManager", "CertificateManagerServiceRolePolicy"],
  ["apidestinations.events", "AmazonEventBridgeApiDestinations", "AmazonEventBridgeApiDestinationsServiceRolePolicy"],
  ["appmesh", "AppMesh", "AWSAppMeshServiceRolePolicy"],
  ["autoscaling-plans", "AutoScalingPlans_EC2AutoScaling", "AWSAutoScalingPlansEC2AutoScalingPolicy"],
  ["autoscaling", "AutoScaling", "AutoScalingServiceRolePolicy"],
  ["backup", "Backup", "AWSBackupServiceLinkedRolePolicyForBackup"],
  ["batch", "Batch", "BatchServiceRolePolicy"],
  [
    "cassandra.application-autoscaling",
    "ApplicationAutoScaling_CassandraTable",
    "AWSApplicationAutoscalingCassandraTablePolicy",
  ],
  ["cks.kms", "KeyManagementServiceCustomKeyStores", "AWSKeyManagementServiceCustomKeyStoresServiceRolePolicy"],
  ["cloudtrail", "CloudTrail", "CloudTrailServiceRolePolicy"],
  ["codestar-notifications", "CodeStarNotifications", "AWSCodeStarNotificationsServiceRolePolicy"],
  ["config", "Config", "AWSConfigServiceRolePolicy"],
  ["connect", "AmazonConnect", "AmazonConnectServiceLinkedRolePolicy"],
  ["dms-fleet-advisor", "DMSFleetAdvisor", "AWSDMSFleetAdvisorServiceRolePolicy"],
  ["dms", "DMSServerless", "AWSDMSServerlessServiceRolePolicy"],
  ["docdb-elastic", "DocDB-Elastic", "AmazonDocDB-ElasticServiceRolePolicy"],
  [
    "dynamodb.application-autoscaling",
    "ApplicationAutoScaling_DynamoDBTable",
    "AWSApplicationAutoscalingDynamoDBTablePolicy",
  ],
  ["ec2-instance-connect", "Ec2InstanceConnect", "Ec2InstanceConnectEndpoint"],
  [
    "ec2.application-autoscaling",
    "ApplicationAutoScaling_EC2SpotFleetRequest",
    "AWSApplicationAutoscalingEC2SpotFleetRequestPolicy",
  ],
  ["ecr", "ECRTemplate", "ECRTemplateServiceRolePolicy"],
  ["ecs", "ECS", "AmazonECSServiceRolePolicy"],
  ["ecs.application-autoscaling", "ApplicationAutoScaling_ECSService", "AWSApplicationAutoscalingECSServicePolicy"],
  ["eks-connector", "AmazonEKSConnector", "AmazonEKSConnectorServiceRolePolicy"],
  ["eks-fargate", "AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"],
  ["eks-nodegroup", "AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"],
  ["eks", "AmazonEKS", "AmazonEKSServiceRolePolicy"],
  ["elasticache", "ElastiCache", "ElastiCacheServiceRolePolicy"],
  ["elasticbeanstalk", "ElasticBeanstalk", "AWSElasticBeanstalkServiceRolePolicy"],
  ["elasticfilesystem", "AmazonElasticFileSystem", "AmazonElasticFileSystemServiceRolePolicy"],
  ["elasticloadbalancing", "ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"],
  ["email.cognito-idp", "AmazonCognitoIdpEmailService", "AmazonCognitoIdpEmailServiceRolePolicy"],
  ["emr-containers", "AmazonEMRContainers", "AmazonEMRContainersServiceRolePolicy"],
  ["emrwal", "EMRWAL", "EMRDescribeClusterPolicyForEMRWAL"],
  ["fis", "FIS", "AmazonFISServiceRolePolicy"],
  ["grafana", "AmazonGrafana", "AmazonGrafanaServiceLinkedRolePolicy"],
  ["guardduty", "AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy"],
  ["imagebuilder", "ImageBuilder", "AWSServiceRoleForImageBuilder"],
  ["iotmanagedintegrations", "IoTManagedIntegrations", "AWSIoTManagedIntegrationsRolePolicy"],
  ["kafka", "Kafka", "KafkaServiceRolePolicy"],
  ["kafkaconnect", "KafkaConnect", "KafkaConnectServiceRolePolicy"],
  ["lakeformation", "LakeFormationDataAccess", "LakeFormationDataAccessServiceRolePolicy"],
  [
    "lambda.application-autoscaling",
    "ApplicationAutoScaling_LambdaConcurrency",
    "AWSApplicationAutoscalingLambdaConcurrencyPolicy",
  ],
  ["lexv2", "LexV2Bots", "AmazonLexV2BotPolicy"],
  ["lightsail", "Lightsail", "LightsailExportAccess"],
  ["m2", "AWSM2", "AWSM2ServicePolicy"],
  ["memorydb", "MemoryDB", "MemoryDBServiceRolePolicy"],
  ["mq", "AmazonMQ", "AmazonMQServiceRolePolicy"],
  ["mrk.kms", "KeyManagementServiceMultiRegionKeys", "AWSKeyManagementServiceMultiRegionKeysServiceRolePolicy"],
  ["notifications", "AwsUserNotifications", "AWSUserNotificationsServiceLinkedRolePolicy"],
  ["observability.aoss", "AmazonOpenSearchServerless", "AmazonOpenSearchServerlessServiceRolePolicy"],
  ["opensearchservice", "AmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"],
  ["ops.apigateway", "APIGateway", "APIGatewayServiceRolePolicy"],
  ["ops.emr-serverless", "AmazonEMRServerless", "AmazonEMRServerlessServiceRolePolicy"],
  ["opsdatasync.ssm", "SystemsManagerOpsDataSync", "AWSSystemsManagerOpsDataSyncServiceRolePolicy"],
  ["opsinsights.ssm", "AmazonSSM_OpsInsights", "AWSSSMOpsInsightsServiceRolePolicy"],
  ["organizations", "Organizations", "AWSOrganizationsServiceTrustPolicy"],
  ["pullthroughcache.ecr", "ECRPullThroughCache", "AWSECRPullThroughCache_ServiceRolePolicy"],
  ["ram", "ResourceAccessManager", "AWSResourceAccessManagerServiceRolePolicy"],
  ["rds", "RDS", "AmazonRDSServiceRolePolicy"],
  ["rds.application-autoscaling", "ApplicationAutoScaling_RDSCluster", "AWSApplicationAutoscalingRDSClusterPolicy"],
  ["redshift", "Redshift", "AmazonRedshiftServiceLinkedRolePolicy"],
  ["replication.cassandra", "KeyspacesReplication", "KeyspacesReplicationServiceRolePolicy"],
  ["replication.dynamodb", "DynamoDBReplication", "DynamoDBReplicationServiceRolePolicy"],
  ["replication.ecr", "ECRReplication", "ECRReplicationServiceRolePolicy"],
  ["replicator.lambda", "LambdaReplicator", "AWSLambdaReplicator"],
  ["repository.sync.codeconnections", "GitSync", "AWSGitSyncServiceRolePolicy"],
  ["resource-explorer-2", "ResourceExplorer", "AWSResourceExplorerServiceRolePolicy"],
  ["rolesanywhere", "RolesAnywhere", "AWSRolesAnywhereServicePolicy"],
  ["s3-outposts", "S3OnOutposts", "AWSS3OnOutpostsServiceRolePolicy"],
  ["ses", "AmazonSES", "AmazonSESServiceRolePolicy"],
  ["shield", "AWSShield", "AWSShieldServiceRolePolicy"],
  ["spot", "EC2Spot", "AWSEC2SpotServiceRolePolicy"],
  ["spotfleet", "EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"],
  ["ssm-incidents", "IncidentManager", "AWSIncidentManagerServiceRolePolicy"],
  ["ssm-quicksetup", "SSMQuickSetup", "SSMQuickSetupRolePolicy"],
  ["ssm", "AmazonSSM", "AmazonSSMServiceRolePolicy"],
  ["sso", "SSO", "AWSSSOServiceRolePolicy"],
  ["support", "Support", "AWSSupportServiceRolePolicy"],
  ["trustedadvisor", "TrustedAdvisor", "AWSTrustedAdvisorServiceRolePolicy"],
  ["vpcorigin.cloudfront", "CloudFrontVPCOrigin", "AWSCloudFrontVPCOriginServiceRolePolicy"],
  ["waf", "WAFLogging", "WAFLoggingServiceRolePolicy"],
  ["wafv2", "WAFV2Logging", "WAFV2LoggingServiceRolePolicy"],
];

const LINKED: ReadonlyMap<string, Linked> = new Map(
  ROLES.map(([service, name, policy]) => [`${service}.amazonaws.com`, { name, policy }]),
);
