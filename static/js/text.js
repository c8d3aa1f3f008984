// Every word a person reads on the maps, in Chinese and English.
const TEXT = {
  zh: {
    subtitle: "网格地图 · 指挥中心", demo: "演示数据", layers: "图例与图层", incidents: "未结警情", who: "谁负责这里",
    grid_cells: "网格", patrol_zones: "治安巡控责任区", response_circles: "响应圈（虚线为估算）", police_posts: "警务站",
    patrol_units: "巡逻力量", open_incidents: "未结警情", cameras: "摄像机", facilities: "设施", road_closures: "道路封闭", live_coverage: "实时可达与缺口（5 分钟）",
    base: "底图", bases: { dark: "深色", light: "浅色", external: "外部底图", none: "无" },
    zoomIn: "放大后显示", loading: "载入中…", none: "此处没有", shown: n => `${n}`, more: "更多，请放大",
    tier: n => `${n} 分钟`, dedicated: "专属网格", segment: "重点路段", online: "在线", offline: "离线",
    updated: "更新于", stale: "数据已过时：无法连接服务器，正在重试", empty: "城市还是空的。请导入边界：geo-grid import grid_cells 文件 --source-crs …",
    live: "空闲力量现在可达（户数）", liveTold: "空闲力量从现在位置出发可达的户数占比；计划值为在岗警务站响应圈", planned: share => `计划 ${share}`,
    free: (n, silent) => `空闲 ${n} 组${silent ? `，其中 ${silent} 组位置久未更新` : ""}`, holes: n => `缺口：${n} 个网格（响应圈 5 分钟可达，现无人可达）`, noHoles: "没有缺口：计划可达之处现在都可达",
    noIncidents: "当前没有未结警情", unassigned: "未分派：不在任何网格内", search: "经度, 纬度　例 114.5043, 37.0682",
    searchBad: "请输入两个数字：经度, 纬度", close: "关闭", file: "在此上报警情", send: "上报", cancel: "取消",
    category: "类别", description: "情况", address: "地址", filed: n => `警情 ${n} 已上报并分派`, households: "户", about: "约 ", onFoot: "步行",
    grid_lead: "网格长", grid_manager: "网格管理员", grid_assistant: "网格协管员", zone: "巡控责任区", noZone: "不在任何巡控责任区内",
    outside: "不在任何网格内", border: m => `距网格边界 ${m}`, alternatives: "定位误差内的相邻网格", circles: "覆盖此处的响应圈", noCircles: "没有响应圈覆盖此处",
    responders: "谁先到", minutes: s => (s < 60 ? `${Math.round(s)} 秒` : `${Math.floor(s / 60)} 分 ${Math.round(s % 60)} 秒`), estimate: "估算",
    estimated: { no_roads: "没有路网", no_road_near: "附近没有道路", no_answer: "路网未及时应答", too_large: "超出路网计算范围" },
    reasons: { free: "可派", on_the_way: "出警途中", on_scene: "现场处置中", off_duty: "未在岗", off_shift: "不在班次", silent: "位置久未更新", cut_off: "道路不通" },
    nearPosts: "最近警务站", nearUnits: "最近巡逻力量", nearCameras: "最近摄像机", nearFacilities: "最近设施", edition: "边界版本",
    keys: "按键：1–9、0 开关图层 · B 底图 · L 语言 · / 定位 · Esc 关闭", failed: "出错了", hour: "小时前", minute: "分钟前", now: "刚刚", day: "天前",
    help: "点击地图任一点，查看谁负责", total: "共", home: "全市", account: "我的账户", logOut: "退出",
    then: (name, edition) => `当时归属：${name}（边界第 ${edition ?? "–"} 版），现归属如下`, nobody: "无",
    steps: { reported: "发现", accepted: "受理", assigned: "分派", handled: "处置", verified: "核查", evaluated: "评价" },
  },
  en: {
    subtitle: "Grid map · Command centre", demo: "Demo data", layers: "Legend and layers", incidents: "Open incidents", who: "Who is responsible here",
    grid_cells: "Grid cells", patrol_zones: "Patrol zones", response_circles: "Response circles (dashed: estimate)", police_posts: "Police posts",
    patrol_units: "Patrol units", open_incidents: "Open incidents", cameras: "Cameras", facilities: "Facilities", road_closures: "Road closures", live_coverage: "Reached now, and holes (5 min)",
    base: "Base map", bases: { dark: "Dark", light: "Light", external: "External", none: "None" },
    zoomIn: "zoom in to see", loading: "loading…", none: "none here", shown: n => `${n}`, more: "more: zoom in",
    tier: n => `${n} min`, dedicated: "dedicated cell", segment: "key road segment", online: "online", offline: "offline",
    updated: "Updated", stale: "The data is stale: the server cannot be reached, trying again", empty: "The city is empty. Import boundaries: geo-grid import grid_cells FILE --source-crs …",
    live: "Reached by those free now (households)", liveTold: "share of households reached by free units from where they are; planned: circles of the posts that count now", planned: share => `planned ${share}`,
    free: (n, silent) => `${n} free${silent ? `, ${silent} of them not heard of lately` : ""}`, holes: n => `Holes: ${n} cells that circles reach in 5 min and nobody free does`, noHoles: "No holes: what is planned is reached now",
    noIncidents: "No open incidents", unassigned: "Unassigned: outside every grid cell", search: "lon, lat   e.g. 114.5043, 37.0682",
    searchBad: "Enter two numbers: lon, lat", close: "Close", file: "File an incident here", send: "File", cancel: "Cancel",
    category: "Category", description: "What happened", address: "Address", filed: n => `Incident ${n} filed and assigned`, households: "households", about: "about ", onFoot: "on foot",
    grid_lead: "Grid lead", grid_manager: "Grid manager", grid_assistant: "Grid assistant", zone: "Patrol zone", noZone: "Outside every patrol zone",
    outside: "Outside every grid cell", border: m => `${m} to the cell's border`, alternatives: "Neighbours within the positional error", circles: "Circles that cover this place", noCircles: "No response circle covers this place",
    responders: "Who is there first", minutes: s => (s < 60 ? `${Math.round(s)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`), estimate: "estimate",
    estimated: { no_roads: "no road graph", no_road_near: "no road near", no_answer: "roads gave no answer in time", too_large: "too far for the road graph" },
    reasons: { free: "free", on_the_way: "on the way to another", on_scene: "on scene", off_duty: "off duty", off_shift: "off shift", silent: "not heard of lately", cut_off: "cut off" },
    nearPosts: "Nearest posts", nearUnits: "Nearest units", nearCameras: "Nearest cameras", nearFacilities: "Nearest facilities", edition: "Boundary edition",
    keys: "Keys: 1–9, 0 layers · B base map · L language · / place · Esc close", failed: "Something went wrong", hour: "h ago", minute: "min ago", now: "just now", day: "d ago",
    help: "Click anywhere to see who is responsible", total: "total", home: "Whole city", account: "My account", logOut: "Log out",
    then: (name, edition) => `Its owner then: ${name} (edition ${edition ?? "–"}); the owner now is below`, nobody: "nobody",
    steps: { reported: "reported", accepted: "accepted", assigned: "assigned", handled: "handled", verified: "verified", evaluated: "evaluated" },
  },
};

export const page = JSON.parse(document.getElementById("geo-grid-page").textContent);
export const text = TEXT[page.lang];
// Says of a time or a circle that it is an estimate, and why where that is known.
export const estimate = why => text.estimate + (why ? `：${text.estimated[why]}` : "");
// A category by its code; one that is not listed has the name it came with.
export function categoryName(code) {
  const found = page.categories?.find(one => one.category_code === code);
  return found ? found[`name_${page.lang}`] : code;
}

export const locale = page.lang === "zh" ? "zh-CN" : "en-GB";

export function metres(value) {
  if (value < 10) return `${value.toFixed(1)} m`;
  return value < 1000 ? `${Math.round(value)} m` : `${(value / 1000).toFixed(1)} km`;
}

export function ago(moment) {
  const minutes = Math.max(0, Math.round((Date.now() - new Date(moment)) / 60000));
  const join = page.lang === "zh" ? "" : " ";
  if (minutes < 1) return text.now;
  if (minutes < 60) return `${minutes}${join}${text.minute}`;
  if (minutes < 2880) return `${Math.round(minutes / 60)}${join}${text.hour}`;
  return `${Math.round(minutes / 1440)}${join}${text.day}`;
}
