// S3's errors: code, status, AWS's words, and the further elements of its XML. From AWS's answers and
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
import { AwsError } from "../../kernel/mod.ts";

/** Headers that an error's answer carries besides its body. */
const headers = new WeakMap<AwsError, Readonly<Record<string, string>>>();

export function withHeaders(error: AwsError, of: Readonly<Record<string, string>>): AwsError {
  headers.set(error, of);
  return error;
}

export const headersOf = (error: AwsError): Readonly<Record<string, string>> => headers.get(error) ?? {};

const invalidArgument = (message: string, name: string, value?: string) =>
  new AwsError("InvalidArgument", 400, message, {
    ArgumentName: name,
    ...(value !== undefined && { ArgumentValue: value }),
  });
const invalidRequest = (message: string) => new AwsError("InvalidRequest", 400, message);

export const errors = {
  invalidArgument,
  invalidRequest,
  /** A parameter whose effect we do not have. */
  notImplemented: (what: string) =>
    new AwsError(
      "NotImplemented",
      501,
      `A header or parameter you provided implies functionality that is not implemented: ${what}`,
      { Header: what },
    ),
  /** Not of this kind of bucket. */
  headerNotImplemented: (header: string) =>
    new AwsError("NotImplemented", 501, "A header you provided implies functionality that is not implemented", {
      Header: header,
    }),
  accessDenied: () => new AwsError("AccessDenied", 403, "Access Denied"),
  malformedXml: () =>
    new AwsError(
      "MalformedXML",
      400,
      "The XML you provided was not well-formed or did not validate against our published schema",
    ),
  internal: () => new AwsError("InternalError", 500, "We encountered an internal error. Please try again."),
  slowDown: () => new AwsError("SlowDown", 503, "Please reduce your request rate."),
  operationAborted: () =>
    new AwsError(
      "OperationAborted",
      409,
      "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),

  // Buckets
  noSuchBucket: (bucket: string) =>
    new AwsError("NoSuchBucket", 404, "The specified bucket does not exist", { BucketName: bucket }),
  invalidBucketName: (bucket: string) =>
    new AwsError("InvalidBucketName", 400, "The specified bucket is not valid.", { BucketName: bucket }),
  bucketAlreadyExists: (bucket: string) =>
    new AwsError(
      "BucketAlreadyExists",
      409,
      "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
      { BucketName: bucket },
    ),
  bucketAlreadyOwnedByYou: (bucket: string) =>
    new AwsError(
      "BucketAlreadyOwnedByYou",
      409,
      "Your previous request to create the named bucket succeeded and you already own it.",
      { BucketName: bucket },
    ),
  tooManyBuckets: (count: number, allowed: number) =>
    new AwsError("TooManyBuckets", 400, "You have attempted to create more buckets than allowed", {
      CurrentNumberOfBuckets: String(count),
      AllowedNumberOfBuckets: String(allowed),
    }),
  /** Met at another region's endpoint. */
  permanentRedirect: (bucket: string, endpoint: string) =>
    new AwsError(
      "PermanentRedirect",
      301,
      "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
      { Endpoint: endpoint, Bucket: bucket },
    ),
  bucketNotEmpty: (bucket: string) =>
    new AwsError("BucketNotEmpty", 409, "The bucket you tried to delete is not empty", { BucketName: bucket }),
  versionedBucketNotEmpty: (bucket: string) =>
    new AwsError(
      "BucketNotEmpty",
      409,
      "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
      { BucketName: bucket },
    ),
  illegalLocationConstraint: (location: string) =>
    new AwsError(
      "IllegalLocationConstraintException",
      400,
      `The ${location} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    ),
  invalidLocationConstraint: (location: string) =>
    new AwsError("InvalidLocationConstraint", 400, "The specified location-constraint is not valid", {
      LocationConstraint: location,
    }),
  invalidBucketOwner: (account: string) =>
    new AwsError(
      "InvalidBucketOwnerAWSAccountID",
      400,
      `The value of the expected bucket owner parameter must be an AWS Account ID... [${account}]`,
    ),
  illegalVersioning: () =>
    new AwsError("IllegalVersioningConfigurationException", 400, "The Versioning element must be specified"),
  noSuchTagSet: (bucket: string) =>
    new AwsError("NoSuchTagSet", 404, "The TagSet does not exist", { BucketName: bucket }),
  invalidTag: (message: string, key?: string) =>
    new AwsError("InvalidTag", 400, message, key === undefined ? {} : { TagKey: key }),
  badRequest: (message: string) => new AwsError("BadRequest", 400, message),
  tooManyTags: () => new AwsError("BadRequest", 400, "Object tags cannot be greater than 10"),
  noSuchBucketPolicy: (bucket: string) =>
    new AwsError("NoSuchBucketPolicy", 404, "The bucket policy does not exist", { BucketName: bucket }),
  malformedPolicy: (message: string) => new AwsError("MalformedPolicy", 400, message),

  // ACLs and public access
  malformedAcl: () =>
    new AwsError(
      "MalformedACLError",
      400,
      "The XML you provided was not well-formed or did not validate against our published schema",
    ),
  /** Recorded on AWS: without words. */
  cannedAclUnknown: (acl: string) => invalidArgument("", "x-amz-acl", acl),
  aclTwice: () => invalidRequest("Specifying both Canned ACLs and Header Grants is not allowed"),
  unexpectedContent: () => new AwsError("UnexpectedContent", 400, "This request does not support content"),
  missingHeader: (name: string) =>
    new AwsError("MissingSecurityHeader", 400, "Your request was missing a required header", {
      MissingHeaderName: name,
    }),
  unresolvableEmail: (email: string) =>
    new AwsError(
      "UnresolvableGrantByEmailAddress",
      400,
      "The e-mail address you provided does not match any account on record.",
      { EmailAddress: email },
    ),
  aclsDisabled: () => new AwsError("AccessControlListNotSupported", 400, "The bucket does not allow ACLs"),
  bucketHasAcl: () =>
    new AwsError(
      "InvalidBucketAclWithObjectOwnership",
      400,
      "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
  bucketHasPublicAcl: () =>
    new AwsError(
      "InvalidBucketAclWithBlockPublicAccessError",
      400,
      "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
    ),
  noOwnershipControls: (bucket: string) =>
    new AwsError("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found", {
      BucketName: bucket,
    }),
  noSuchPublicAccessBlock: (bucket: string) =>
    new AwsError("NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found", {
      BucketName: bucket,
    }),
  publicPrevented: (
    who: string | undefined,
    { action, resource, what, flag }: { action: string; resource: string; what: string; flag: string },
  ) =>
    new AwsError(
      "AccessDenied",
      403,
      who === undefined
        ? "Access Denied"
        : `User: ${who} is not authorized to perform: ${action} on resource: "${resource}" because public ${what} are prevented by the ${flag} setting in S3 Block Public Access.`,
    ),

  // What a bucket tells browsers
  noSuchCors: (bucket: string) =>
    new AwsError("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist", { BucketName: bucket }),
  corsForbidden: (why: string, { method, type }: { method: string; type: "BUCKET" | "OBJECT" }) =>
    new AwsError("AccessForbidden", 403, `CORSResponse: ${why}`, { Method: method, ResourceType: type }),

  noSuchWebsite: (bucket: string) =>
    new AwsError("NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration", {
      BucketName: bucket,
    }),
  methodNotAllowed: (method: string, type: string) =>
    new AwsError("MethodNotAllowed", 405, "The specified method is not allowed against this resource.", {
      Method: method,
      ResourceType: type,
    }),

  // Objects
  noSuchKey: (key: string) => new AwsError("NoSuchKey", 404, "The specified key does not exist.", { Key: key }),
  noSuchVersion: (key: string, version: string) =>
    new AwsError("NoSuchVersion", 404, "The specified version does not exist.", { Key: key, VersionId: version }),
  emptyVersion: () => invalidArgument("Version id cannot be the empty string", "versionId", ""),
  invalidVersion: (version: string) => invalidArgument("Invalid version id specified", "versionId", version),
  /** A header of the answer: a delete marker stands where the object was. */
  deleteMarker: (method: string) =>
    new AwsError("MethodNotAllowed", 405, "The specified method is not allowed against this resource.", {
      Method: method,
      ResourceType: "DeleteMarker",
    }),
  keyTooLong: (key: string) =>
    new AwsError("KeyTooLongError", 400, "Your key is too long", {
      Size: String(Buffer.byteLength(key)),
      MaxSizeAllowed: "1024",
    }),
  metadataTooLarge: (size: number) =>
    new AwsError("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size", {
      Size: String(size),
      MaxSizeAllowed: "2048",
    }),
  preconditionFailed: (condition: string) =>
    new AwsError("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold", {
      Condition: condition,
    }),
  /** AWS's own answer to a condition that the operation does not know (measured: localstack's issue 13894, ministack's 1501). */
  conditionUnknown: (header: string, why?: string) =>
    new AwsError("NotImplemented", 501, "A header you provided implies functionality that is not implemented", {
      Header: header,
      ...(why !== undefined && { additionalMessage: why }),
    }),
  conditionalConflict: () =>
    new AwsError(
      "ConditionalRequestConflict",
      409,
      "The conditional request cannot succeed due to a conflicting operation against this resource.",
    ),
  notModified: () => new AwsError("NotModified", 304, "Not Modified"),
  invalidRange: (range: string, size: number) =>
    new AwsError("InvalidRange", 416, "The requested range is not satisfiable", {
      RangeRequested: range,
      ActualObjectSize: String(size),
    }),
  invalidPartNumber: (requested: number, count: number) =>
    new AwsError("InvalidPartNumber", 416, "The requested partnumber is not satisfiable", {
      PartNumberRequested: String(requested),
      ActualPartCount: String(count),
    }),
  invalidObjectState: (storageClass: string) =>
    new AwsError("InvalidObjectState", 403, "The operation is not valid for the object's storage class", {
      StorageClass: storageClass,
    }),
  invalidRedirect: () =>
    new AwsError(
      "InvalidRedirectLocation",
      400,
      "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
    ),
  overridesUnsigned: () =>
    invalidRequest("Request specific response headers cannot be used for anonymous GET requests."),
  notRestorable: (storageClass: string) =>
    new AwsError("InvalidObjectState", 403, "Restore is not allowed for the object's current storage class", {
      StorageClass: storageClass,
    }),
  restoring: () => new AwsError("RestoreAlreadyInProgress", 409, "Object restore is already in progress"),
  invalidStorageClass: (name: string) =>
    new AwsError("InvalidStorageClass", 400, "The storage class you specified is not valid", {
      StorageClassRequested: name,
    }),
  invalidEncryption: (name: string) =>
    new AwsError(
      "InvalidEncryptionAlgorithmError",
      400,
      "The Encryption request you specified is not valid. Supported value: AES256.",
      {
        ArgumentName: "x-amz-server-side-encryption",
        ArgumentValue: name,
      },
    ),
  /** Requests with a key of the customer's. */
  customerKey: (lack: string) =>
    invalidArgument(
      `Requests specifying Server Side Encryption with Customer provided keys ${lack}`,
      "x-amz-server-side-encryption",
    ),
  customerKeyInvalid: (message: string) => invalidArgument(message, "x-amz-server-side-encryption"),
  encryptionTwice: (asked: string) =>
    invalidArgument(
      "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
      "x-amz-server-side-encryption",
      asked,
    ),
  encryptionOfRead: (asked: string) =>
    invalidArgument(
      "x-amz-server-side-encryption header is not supported for this operation.",
      "x-amz-server-side-encryption",
      asked,
    ),
  encryptionMissing: () =>
    invalidRequest(
      "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
    ),
  encryptionNotApplicable: () => invalidRequest("The encryption parameters are not applicable to this object."),
  wrongCustomerKey: () =>
    new AwsError(
      "AccessDenied",
      403,
      "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.",
    ),
  partEncryptionMissing: () =>
    invalidRequest(
      "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.",
    ),
  partEncryptionDiffers: () =>
    invalidRequest("The provided encryption parameters did not match the ones used originally."),
  kmsHeaderMissing: () =>
    invalidArgument(
      "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
      "x-amz-server-side-encryption",
    ),
  kmsNotFound: (message: string) => new AwsError("KMS.NotFoundException", 400, message),
  missingContentLength: () =>
    new AwsError("MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
  entityTooLarge: (size: number, max: number) =>
    new AwsError("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size", {
      ProposedSize: String(size),
      MaxSizeAllowed: String(max),
    }),
  incompleteBody: () =>
    new AwsError(
      "IncompleteBody",
      400,
      "You did not provide the number of bytes specified by the Content-Length HTTP header",
    ),
  attributesMissing: () =>
    invalidRequest(
      "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
    ),
  sourceNotActive: () =>
    new AwsError(
      "ObjectNotInActiveTierError",
      403,
      "The source object of the COPY action is not in the active tier and is only stored in Amazon S3 Glacier.",
    ),
  copyTooLarge: () =>
    invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"),
  copyOntoItself: () =>
    invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    ),

  // Digests
  invalidDigest: (md5: string) =>
    new AwsError("InvalidDigest", 400, "The Content-MD5 you specified was invalid.", { "Content-MD5": md5 }),
  badMd5: (expected: string, calculated: string) =>
    new AwsError("BadDigest", 400, "The Content-MD5 you specified did not match what we received.", {
      ExpectedDigest: expected,
      CalculatedDigest: calculated,
    }),
  digestMissing: () => invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*"),
  badChecksum: (algorithm: string) =>
    new AwsError("BadDigest", 400, `The ${algorithm} you specified did not match the calculated checksum.`),
  badPartChecksum: (algorithm: string, part: number) =>
    new AwsError("BadDigest", 400, `The ${algorithm} you specified for part ${part} did not match what we received.`),
  checksumInvalid: (header: string) => invalidRequest(`Value for ${header} header is invalid.`),
  manyChecksums: () =>
    invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."),
  checksumTwice: () => invalidRequest("Expecting a single x-amz-checksum- header"),
  checksumMissing: () =>
    invalidRequest(
      "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
    ),
  trailerUnsupported: () => invalidRequest("The value specified in the x-amz-trailer header is not supported"),

  // Multipart
  noSuchUpload: (uploadId: string) =>
    new AwsError(
      "NoSuchUpload",
      404,
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
      { UploadId: uploadId },
    ),
  partNumber: (value: number) =>
    invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", String(value)),
  invalidPart: (number: number, etag: string, uploadId: string) =>
    new AwsError(
      "InvalidPart",
      400,
      "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
      { ETag: etag, PartNumber: String(number), UploadId: uploadId },
    ),
  invalidPartOrder: (uploadId: string) =>
    new AwsError(
      "InvalidPartOrder",
      400,
      "The list of parts was not in ascending order. Parts must be ordered by part number.",
      { UploadId: uploadId },
    ),
  entityTooSmall: (number: number, etag: string, size: number) =>
    new AwsError("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size", {
      ETag: etag,
      MinSizeAllowed: "5242880",
      PartNumber: String(number),
      ProposedSize: String(size),
    }),

  noParts: () => invalidRequest("You must specify at least one part"),
  unknownAlgorithm: () =>
    invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    ),
  typeWithoutAlgorithm: () =>
    invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."),
  typeUnusable: (type: string, algorithm: string) =>
    invalidRequest(`The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`),
  algorithmMismatch: (expected: string, actual: string) =>
    invalidRequest(
      `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${actual.toLowerCase()}`,
    ),
  typeMismatch: (type: string | null) =>
    invalidRequest(
      `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
    ),
  partChecksumMissing: (algorithm: string, part: number) =>
    invalidRequest(
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${part} in the request.`,
    ),
  sizeMismatch: (said: number, computed: number) =>
    invalidRequest(
      `The provided 'x-amz-mp-object-size' header value ${said} does not match what was computed: ${computed}`,
    ),

  // Object Lock
  lockedVersioning: () =>
    new AwsError(
      "InvalidBucketState",
      409,
      "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
    ),
  lockWantsVersioning: () =>
    new AwsError(
      "InvalidBucketState",
      409,
      "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
    ),
  noLockConfiguration: (bucket: string) =>
    new AwsError(
      "ObjectLockConfigurationNotFoundError",
      404,
      "Object Lock configuration does not exist for this bucket",
      { BucketName: bucket },
    ),
  bucketWithoutLock: () => invalidRequest("Bucket is missing Object Lock Configuration"),
  objectWithoutLock: () =>
    new AwsError("NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration"),
  retentionPeriod: (message: string) => new AwsError("InvalidRetentionPeriod", 400, message),
  locked: () => new AwsError("AccessDenied", 403, "Access Denied because object protected by object lock."),
  lockWantsDigest: () =>
    invalidRequest(
      "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
    ),

  // Configurations of a bucket
  noLifecycle: (bucket: string) =>
    new AwsError("NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist", {
      BucketName: bucket,
    }),
  noConfiguration: () => new AwsError("NoSuchConfiguration", 404, "The specified configuration does not exist."),
  noReplication: (bucket: string) =>
    new AwsError("ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found", {
      BucketName: bucket,
    }),
  replicatedVersioning: () =>
    new AwsError(
      "InvalidBucketState",
      409,
      "A replication configuration is present on this bucket, so you cannot change the versioning state. To change the versioning state, first delete the replication configuration.",
    ),

  // Notifications
  arnUnparsable: (name: string, arn: string) => invalidArgument("The ARN could not be parsed", name, arn),
  destinationElsewhere: (arn: string) =>
    invalidArgument(
      "The notification destination service region is not valid for the bucket location constraint",
      arn,
      "null",
    ),
  destinationInvalid: (problems: readonly { arn: string; reason: string }[]) =>
    new AwsError(
      "InvalidArgument",
      400,
      "Unable to validate the following destination configurations",
      Object.fromEntries(
        problems.flatMap(({ arn, reason }, at) => [
          [`ArgumentName${at + 1}`, `${arn}, null`],
          [`ArgumentValue${at + 1}`, reason],
        ]),
      ),
    ),
} as const;
