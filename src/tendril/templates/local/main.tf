# The template for the provider `local`: it provisions nothing. Each component is one terraform_data
# resource, which is built into Terraform and OpenTofu, so that plans, applies, outputs and states are
# real while no provider is downloaded and no cloud account is needed.

terraform {
  required_version = ">= 1.6"

  backend "http" {}
}

locals {
  prefix = var.vine.name_prefix
  region = var.vine.region
  # `.invalid` never resolves (RFC 2606), so that nothing can be taken for a real endpoint
  zone = "${local.region}.vintner.invalid"
  arn  = "arn:vintner:local:${local.region}"
}

resource "terraform_data" "network" {
  count = var.network == null ? 0 : 1

  input = {
    settings = var.network
    network_id = var.network.provision_network ? (
      "vpc-${substr(sha1("${local.prefix}/${local.region}"), 0, 17)}"
    ) : var.network.network_id
  }
}

resource "terraform_data" "cluster" {
  count      = var.cluster == null ? 0 : 1
  depends_on = [terraform_data.network]

  input = {
    settings         = var.cluster
    cluster_name     = "${local.prefix}-cluster"
    cluster_endpoint = "https://${local.prefix}-cluster.${local.zone}"
    cluster_arn      = "${local.arn}:cluster/${local.prefix}-cluster"
    argocd_url       = try("https://argocd.${var.dns.domain_name}", null)
  }
}

resource "terraform_data" "dns" {
  count      = var.dns == null ? 0 : 1
  depends_on = [terraform_data.network]

  input = var.dns
}

resource "terraform_data" "repositories" {
  count = var.repositories == null ? 0 : 1

  input = var.repositories
}

resource "terraform_data" "database" {
  for_each   = var.databases
  depends_on = [terraform_data.network]

  input = {
    settings                      = each.value
    endpoint                      = "${local.prefix}-${each.key}.cluster-local.${local.zone}"
    reader_endpoint               = "${local.prefix}-${each.key}.cluster-ro-local.${local.zone}"
    cluster_identifier            = "${local.prefix}-${each.key}"
    master_credentials_secret_arn = "${local.arn}:secret:${local.prefix}-${each.key}-master"
  }
}

resource "terraform_data" "cache" {
  for_each   = var.caches
  depends_on = [terraform_data.network]

  input = {
    settings = each.value
    endpoint = "${local.prefix}-${each.key}.cache-local.${local.zone}"
  }
}

resource "terraform_data" "queue" {
  for_each = var.queues

  input = each.value
}

resource "terraform_data" "topic" {
  for_each = var.topics

  input = each.value
}

resource "terraform_data" "nosql_table" {
  for_each = var.nosql_tables

  input = each.value
}

resource "terraform_data" "container_registry" {
  for_each = var.container_registries

  input = {
    settings       = each.value
    repository_url = "registry-local.${local.zone}/${local.prefix}/${each.key}"
  }
}

resource "terraform_data" "secret" {
  for_each = var.secrets

  input = each.value
}
