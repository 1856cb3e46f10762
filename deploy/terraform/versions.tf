# Versions, the place of the state, and the providers. README.md in this folder says how to apply it.

terraform {
  required_version = ">= 1.8.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "5.14.0"
    }
  }

  # `init -backend-config=bucket=BUCKET -backend-config=prefix=ENVIRONMENT` names the place of an environment's state.
  backend "gcs" {}
}

provider "google" {
  project = var.project
}

# The token comes from CLOUDFLARE_API_TOKEN: no file and no state has it.
provider "cloudflare" {}
