# The variables that a Tendril writes to vintner.auto.tfvars.json: version 1 of the contract in
# docs/job-context.md. Kinds of which a vine has several come as objects by name; those with parts of
# free form are `any`, so that their elements need not be alike.

variable "vintner_contract_version" {
  description = "Version of this contract."
  type        = number

  validation {
    condition     = var.vintner_contract_version == 1
    error_message = "This template knows version 1 of the variables' contract."
  }
}

variable "vine" {
  description = "What is provisioned, and the names that follow from it."
  type = object({
    id                = string
    project_name      = string
    environment_stage = string
    region            = string
    provider          = string
    name_prefix       = string
    state_path        = string
  })
}

variable "network" {
  type = object({
    provision_network   = bool
    network_id          = optional(string)
    cidr_block          = string
    single_nat_gateway  = bool
    allowed_cidr_blocks = list(string)
  })
}

variable "cluster" {
  type = object({
    cluster_version   = string
    provider_config   = any
    cluster_admins    = any
    instance_types    = list(string)
    node_min_size     = number
    node_max_size     = number
    node_desired_size = number
  })
}

variable "dns" {
  type = object({
    enabled             = bool
    zone_id             = optional(string)
    domain_name         = optional(string)
    managed_certificate = bool
    waf_enabled         = bool
    provider_config     = any
  })
}

variable "repositories" {
  type = object({
    env_template_repo       = optional(string)
    env_template_branch     = optional(string)
    env_destination_repo    = optional(string)
    gitops_template_repo    = optional(string)
    gitops_template_branch  = optional(string)
    gitops_destination_repo = optional(string)
    apps_template_repo      = optional(string)
    apps_template_branch    = optional(string)
    apps_destination_repo   = optional(string)
  })
}

variable "databases" {
  type = map(object({
    name                  = string
    engine                = string
    engine_version        = string
    min_capacity          = number
    max_capacity          = number
    port                  = number
    backup_retention_days = number
    iam_auth              = bool
  }))
}

variable "caches" {
  type = map(object({
    name                = string
    engine              = string
    node_type           = string
    num_cache_nodes     = number
    multi_az            = bool
    allowed_cidr_blocks = list(string)
  }))
}

variable "queues" {
  type = map(object({
    name               = string
    fifo               = bool
    visibility_timeout = number
    message_retention  = number
    delay_seconds      = number
  }))
}

variable "topics" {
  type = any
}

variable "nosql_tables" {
  type = any
}

variable "container_registries" {
  type = any
}

variable "secrets" {
  type = map(object({
    name          = string
    generate      = bool
    length        = number
    special_chars = bool
  }))
}
