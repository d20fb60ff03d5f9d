# Outputs by component, under the names that the database fills in; see docs/job-context.md.

output "network" {
  value = one([for r in terraform_data.network : { network_id = r.output.network_id }])
}

output "cluster" {
  value = one([for r in terraform_data.cluster : {
    cluster_name     = r.output.cluster_name
    cluster_endpoint = r.output.cluster_endpoint
    cluster_arn      = r.output.cluster_arn
    argocd_url       = r.output.argocd_url
  }])
}

output "databases" {
  value = { for name, r in terraform_data.database : name => {
    endpoint                      = r.output.endpoint
    reader_endpoint               = r.output.reader_endpoint
    cluster_identifier            = r.output.cluster_identifier
    master_credentials_secret_arn = r.output.master_credentials_secret_arn
  } }
}

output "caches" {
  value = { for name, r in terraform_data.cache : name => { endpoint = r.output.endpoint } }
}

output "container_registries" {
  value = { for name, r in terraform_data.container_registry : name => {
    repository_url = r.output.repository_url
  } }
}
