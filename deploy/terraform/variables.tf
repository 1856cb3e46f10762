# The inputs of an environment. staging.tfvars.example and production.tfvars.example have values for all of them.

variable "environment" {
  description = "Name of the environment, as in wrangler.toml: staging or production."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "Expected environment to be staging or production."
  }
}

variable "project" {
  description = "Google Cloud project of this environment. Each environment has its own."
  type        = string
}

variable "instance" {
  description = "Bigtable instance, 6 to 33 characters. Origins read it as EARSHOT_INSTANCE."
  type        = string
  default     = "recommendations"
}

variable "min_nodes" {
  description = "Smallest number of Bigtable nodes of each cluster. A load needs more than reads do."
  type        = number
}

variable "max_nodes" {
  description = "Largest number of Bigtable nodes of each cluster."
  type        = number
}

variable "list_max_age_days" {
  description = "Days after which lists are collected, and older generations are not read: EARSHOT_LIST_MAX_AGE_DAYS."
  type        = number
  default     = 30
}

variable "image" {
  description = "Image of the origin with its digest, in the repository of the output `repository`: HOST/NAME@sha256:DIGEST."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Expected image to end with @sha256: and a digest, because a tag can move."
  }
}

variable "build" {
  description = "Name of the build in heartbeats, up to 64 of A-Z a-z 0-9 . -: EARSHOT_BUILD."
  type        = string
}

variable "min_instances" {
  description = "Smallest number of instances of each origin. With one, a restart sends its reads to the next region."
  type        = number
  default     = 2

  validation {
    condition     = var.min_instances >= 2
    error_message = "Expected min_instances to be at least 2."
  }
}

variable "max_instances" {
  description = "Largest number of instances of each origin."
  type        = number
}

variable "list_cache_bytes" {
  description = "Bytes of memory for lists in each instance: EARSHOT_LIST_CACHE_BYTES. The container's memory follows."
  type        = number
  default     = 268435456
}

variable "item_cache_bytes" {
  description = "Bytes of memory for items in each instance: EARSHOT_ITEM_CACHE_BYTES. The container's memory follows."
  type        = number
  default     = 67108864
}

variable "origin_secret_version" {
  description = "Version of the secret earshot-origin-secret that origins accept: EARSHOT_ORIGIN_SECRET."
  type        = string
  default     = "1"
}

variable "origin_secret_previous_version" {
  description = "Version that origins accept too, while the secret is changed: EARSHOT_ORIGIN_SECRET_PREVIOUS. Null: none."
  type        = string
  default     = null
}

variable "loader_members" {
  description = "Principals that may act as the loader, such as group:NAME@DOMAIN. They need no key."
  type        = set(string)
  default     = []
}

variable "admin_members" {
  description = "Principals that may act as the administrator of the tables, such as group:NAME@DOMAIN."
  type        = set(string)
  default     = []
}

variable "cloudflare_account_id" {
  description = "Cloudflare account of the worker."
  type        = string
}

variable "cloudflare_zone" {
  description = "Zone of the origins' hosts, such as example.com. The worker's own host is in wrangler.toml."
  type        = string
}

variable "origin_domain" {
  description = "Domain of the origins in the zone: REGION.origin_domain is the host of a region in REGIONS."
  type        = string
}

variable "origin_pull_ca" {
  description = "Certificate (PEM) of the authority that signed the zone's certificate for origin pulls. Not a secret."
  type        = string
}
