#[derive(Debug, Clone)]
pub struct Network {
    pub cidr: ipnet::Ipv4Net,
}
#[derive(Debug, Clone)]
pub struct Blueprint {
    pub network: Option<Network>,
}
