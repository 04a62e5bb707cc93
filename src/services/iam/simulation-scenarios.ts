// ResourceHandlingOption: which kinds of resources a simulation of EC2's must have.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html
import { type Arn, parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

const BASIC = ["instance", "image", "security-group"];
const VPC = [...BASIC, "network-interface"];

const SCENARIOS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    "EC2-Classic-InstanceStore": BASIC,
    "EC2-Classic-EBS": [...BASIC, "volume"],
    "EC2-VPC-InstanceStore": VPC,
    "EC2-VPC-InstanceStore-Subnet": [...VPC, "subnet"],
    "EC2-VPC-EBS": [...VPC, "volume"],
    "EC2-VPC-EBS-Subnet": [...VPC, "subnet", "volume"],
  }),
);

/** Throws InvalidInput of an unknown scenario, or of one whose resources are not all there. */
export function checkedHandling(option: string | undefined, resources: readonly Arn[]): void {
  if (option === undefined) return;
  const wanted = SCENARIOS.get(option);
  if (!wanted) throw errors.invalid(`Invalid ResourceHandlingOption: ${option}`);
  const kinds = new Set(resources.map((arn) => parseArn(arn)?.resource.split("/")[0]));
  const missing = wanted.find((kind) => !kinds.has(kind));
  if (missing) throw errors.invalid(`ResourceHandlingOption ${option} requires a resource of type ${missing}.`);
}
